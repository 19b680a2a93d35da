# An etcd server for the length of a script that reads this file: on ports that the system chooses, with its data in a
# temporary folder, and for two minutes at most, whatever becomes of the script.

etcd_folder=$(mktemp -d) || exit 1
etcd_process=

# Sets etcd_target. The environment is left out, since etcd would take options from it; etcd 3.4 runs on arm64 only when
# that is said.
start_etcd()
{
    command -v etcd >/dev/null || { echo "there is no etcd here; on Debian: apt-get install etcd-server" >&2; exit 1; }
    anywhere=http://127.0.0.1:0
    env -i PATH="$PATH" ETCD_UNSUPPORTED_ARCH=arm64 timeout -k 5 110 etcd --name one \
        --data-dir "$etcd_folder/data" --logger zap --log-level info \
        --listen-client-urls $anywhere --advertise-client-urls $anywhere --listen-peer-urls $anywhere \
        --initial-advertise-peer-urls $anywhere --initial-cluster one=$anywhere >"$etcd_folder/log" 2>&1 &
    etcd_process=$!
    until etcd_address=$(sed -n '/serving client/s/.*"address":"\([^"]*\)".*/\1/p' "$etcd_folder/log" | grep .); do
        kill -0 "$etcd_process" 2>/dev/null || { tail -n 3 "$etcd_folder/log" >&2; exit 1; }
        sleep 0.1
    done
    etcd_target=grpc://$etcd_address
}

end_etcd()
{
    [ -z "$etcd_process" ] || { kill "$etcd_process" && wait "$etcd_process"; } 2>/dev/null
    etcd_process=
}

finish()
{
    end_etcd
    rm -rf "$etcd_folder"
}

trap finish EXIT
trap 'exit 130' INT TERM
