# What the checks of interoperability have in common; sourced.
#
# The idea: a server says "listening on port N"; a client runs its cases against it, names each, and says how many
# have passed and failed. All is bounded in time. The cases of a peer are counted, and the count is known: one that is
# not run is a failure.

work=$(mktemp -d) || exit 1
server=
counted=0
trap 'interop_stop; rm -rf "$work"' EXIT

# Of a client with all of its cases, and of a server's start; seconds.
client_time=180
server_time=30

interop_fail()
{
    echo "$(basename "$0"): $1" >&2
    [ -f "$work/client" ] && tail -n 40 "$work/client" >&2
    [ -f "$work/server" ] && tail -n 20 "$work/server" >&2
    exit 1
}

# A CA and a server's certificate of it, for localhost and 127.0.0.1; sets `with_tls` for servers, and `to_tls` for clients.
interop_make_certificates()
{
    (cd "$work" && {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 1 \
            -subj '/CN=interop CA' &&
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr \
                -subj '/CN=localhost' &&
            printf 'subjectAltName=DNS:localhost,DNS:*.test.google.fr,IP:127.0.0.1\n' >server.ext &&
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile server.ext \
                -out server.pem
    }) >"$work/openssl" 2>&1 || { cat "$work/openssl" >&2; interop_fail "openssl makes no certificates"; }
    with_tls="--use_tls=true --tls_cert_file=$work/server.pem --tls_key_file=$work/server.key"
    to_tls="--use_tls=true --ca_file=$work/ca.pem --server_host_override=foo.test.google.fr"
}

# interop_start PROGRAM ARGUMENTS...: sets `port`.
interop_start()
{
    local end=$((SECONDS + server_time))

    : >"$work/server"
    "$@" >"$work/server" 2>&1 &
    server=$!
    while ! port=$(sed -n 's/^listening on port //p' "$work/server") || [ -z "$port" ]; do
        kill -0 "$server" 2>/dev/null || interop_fail "$1 does not start"
        [ $SECONDS -lt $end ] || interop_fail "$1 does not say where it listens"
        sleep 0.1
    done
}

interop_stop()
{
    [ -n "$server" ] || return 0
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    server=
}

# interop_run WHAT PROGRAM ARGUMENTS...
interop_run()
{
    local what=$1 passed

    shift
    timeout "$client_time" "$@" >"$work/client" 2>&1 || interop_fail "$what: has failed"
    passed=$(sed -n 's/^\([0-9]*\) cases passed, 0 failed$/\1/p' "$work/client")
    [ -n "$passed" ] || interop_fail "$what: does not say how many cases have passed"
    echo "$what: $passed cases passed"
    counted=$((counted + passed))
}

# interop_finish COUNT: so many cases there are.
interop_finish()
{
    [ "$counted" = "$1" ] || interop_fail "$counted cases have passed; there are $1"
    mkdir -p "$VOW_BUILD/peers"
    echo "$(basename "$0"): $counted cases passed" | tee "$VOW_BUILD/peers/$(basename "$0").count"
}

# Of all cases, those that are not named.
interop_all_but()
{
    local name list=

    for name in empty_unary large_unary client_compressed_unary server_compressed_unary client_streaming \
        client_compressed_streaming server_streaming server_compressed_streaming ping_pong empty_stream \
        custom_metadata status_code_and_message special_status_message unimplemented_method unimplemented_service \
        cancel_after_begin cancel_after_first_response timeout_on_sleeping_server rpc_soak channel_soak; do
        case " $* " in
            *" $name "*) ;;
            *) list=$list,$name ;;
        esac
    done
    echo "${list#,}"
}
