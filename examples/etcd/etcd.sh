# An etcd server for the length of a script that reads this file: on ports that the system chooses, with its data in a
# temporary folder, and for two minutes at most, whatever becomes of the script.

etcd_folder=$(mktemp -d) || exit 1
etcd_process=

# A CA, and of it a server's certificate and a client's, in etcd_folder; each in one file with its key.
make_certificates()
{
    (cd "$etcd_folder" && exec >openssl.log 2>&1 &&
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=our CA' -days 1 -keyout ca.key \
            -out ca.pem && issue server IP:127.0.0.1 && issue client DNS:tour) || { cat "$etcd_folder/openssl.log" >&2; exit 1; }
}

issue() # WHO NAMES
{
    printf 'subjectAltName=%s\n' "$2" >names &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout key -out request &&
        openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile names -out certificate &&
        cat certificate key >"$1.pem"
}

# start_etcd [tls]: with TLS it wants a client's certificate. Sets etcd_target. The environment is left out, since etcd would take options from it; etcd 3.4 runs on arm64 only when
# that is said.
start_etcd()
{
    command -v etcd >/dev/null || { echo "there is no etcd here; on Debian: apt-get install etcd-server" >&2; exit 1; }
    anywhere=http://127.0.0.1:0
    for_clients=$anywhere
    secured=
    scheme=grpc
    if [ "${1:-}" = tls ]; then
        for_clients=https://127.0.0.1:0
        secured="--cert-file $etcd_folder/server.pem --key-file $etcd_folder/server.pem --client-cert-auth
            --trusted-ca-file $etcd_folder/ca.pem"
        scheme=grpcs
    fi
    env -i PATH="$PATH" ETCD_UNSUPPORTED_ARCH=arm64 timeout -k 5 110 etcd --name one \
        --data-dir "$etcd_folder/data" --logger zap --log-level info $secured \
        --listen-client-urls $for_clients --advertise-client-urls $for_clients --listen-peer-urls $anywhere \
        --initial-advertise-peer-urls $anywhere --initial-cluster one=$anywhere >"$etcd_folder/log" 2>&1 &
    etcd_process=$!
    until etcd_address=$(sed -n '/serving client/s/.*"address":"\([^"]*\)".*/\1/p' "$etcd_folder/log" | grep .); do
        kill -0 "$etcd_process" 2>/dev/null || { tail -n 3 "$etcd_folder/log" >&2; exit 1; }
        sleep 0.1
    done
    etcd_target=$scheme://$etcd_address
}

end_etcd()
{
    [ -z "$etcd_process" ] || { kill "$etcd_process" && wait "$etcd_process"; } 2>/dev/null
    etcd_process=
    rm -rf "$etcd_folder/data"
}

finish()
{
    end_etcd
    rm -rf "$etcd_folder"
}

trap finish EXIT
trap 'exit 130' INT TERM
