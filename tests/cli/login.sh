#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# login.sh VENEER - login and logout with real registries on the loopback
#
# Needs no network, no store and no kernel. The registry is Debian's docker-registry, from PATH or
# from build/peers; without it (and REGISTRY_MUST_WORK=1) its cases are left out.
# Source: spec/cli.md, "login"; Docker 28.
set -uo pipefail

veneer=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d "${TMPDIR:-/tmp}/veneer-login.XXXXXX")
servers=()
trap 'kill "${servers[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
export HOME=$work/home
mkdir -p "$HOME" "$work/bin"
unset VENEER_CONFIG VENEER_KERNEL DOCKER_CONFIG DOCKER_AUTH_CONFIG REGISTRY_AUTH_FILE
unset http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY XDG_RUNTIME_DIR XDG_CONFIG_HOME
PATH=$work/bin:$PATH:$PWD/build/peers/usr/bin
config=$HOME/.docker/config.json
# shellcheck disable=SC2016
password='pass:w$rd'
passed=0
failed=0

# same NAME EXPECTED ACTUAL
same() {
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED: %s\n--- expected\n%s\n--- got\n%s\n' "$1" "$2" "$3"
}

# says STATUS STDOUT STDERR ARGUMENT... - with the password on standard input
says() {
	local status=$1 out=$2 err=$3 got
	shift 3
	printf '%s' "$given" | "$veneer" "$@" >"$work/out" 2>"$work/err"
	got=$?
	same "status of: $*" "$status" "$got"
	same "stdout of: $*" "$out" "$(cat "$work/out")"
	same "stderr of: $*" "$err" "$(cat "$work/err")"
}

insecure='WARNING! Using --password via the CLI is insecure. Use --password-stdin.'
unencrypted="
WARNING! Your credentials are stored unencrypted in '$config'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/"
existing="Authenticating with existing credentials... [Username: ann]

To login with a different account, run 'veneer logout' followed by 'veneer login'"
no_terminal='error: cannot perform an interactive login from a non-TTY device'

# ---- what needs no registry ----

given=''
says 1 '' 'conflicting options: cannot specify both --password and --password-stdin' \
	login -u a -p b --password-stdin
says 1 '' 'the --password-stdin option requires --username to be set' login --password-stdin
says 1 '' 'the --password-stdin option requires --username to be set' login -p -
says 1 '' 'username is empty' login -u '' -p x
says 1 '' 'password is empty' login -u a -p ''
says 1 '' "$no_terminal" login localhost:1
says 1 '' "$no_terminal" login -u a localhost:1
says 1 '' "$no_terminal" login -u a --password-stdin localhost:1
says 0 'Removing login credentials for localhost:1' '' logout localhost:1
says 0 'Removing login credentials for https://index.docker.io/v1/' '' logout
same 'nothing was made' '' "$(ls -A "$HOME")"
says 1 '' "$insecure
a registry's name with credentials in it" login -u a -p x "https://b:$password@localhost:1"
mkdir "$HOME/.docker"
printf '{"auths":{"localhost:1":{"auth":"c2Vj" "c2Vj"}}}' >"$config"
malformed="$config): invalid JSON: line 1, column 45: '}' expected"
says 1 '' "$insecure
WARNING: Error parsing config file ($malformed
Error saving credentials: $config is not replaced" login -u a -p x localhost:1
says 0 'Removing login credentials for localhost:1' \
	"WARNING: could not erase credentials:
$(for key in '' http:// https://; do echo "${key}localhost:1: ${malformed/)/}"; done)" logout localhost:1
same 'a malformed file stays' '{"auths":{"localhost:1":{"auth":"c2Vj" "c2Vj"}}}' "$(cat "$config")"
rm "$config"

# A server that never answers: what can be seen of the program meanwhile.
python3 -c '
import socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
client = server.accept()[0]
open(sys.argv[1], "w").close()
time.sleep(600)' "$work/connected" >"$work/silent" &
servers+=($!)
while [ ! -s "$work/silent" ]; do sleep 0.05; done
(
	ulimit -S -c "$(ulimit -H -c)"
	exec "$veneer" login -u ann -p "$password" "127.0.0.1:$(cat "$work/silent")" 2>/dev/null
) &
pid=$!
for _ in $(seq 200); do
	[ ! -e "$work/connected" ] || break
	sleep 0.05
done
same 'the password is not in the list of processes' '-p' \
	"$(tr '\0' '\n' <"/proc/$pid/cmdline" | grep -xF -e "$password" -e -p)"
same 'no core dump' 1 "$(grep -c 'Max core file size  *0 ' "/proc/$pid/limits")"
kill -TERM "$pid"
wait "$pid"
same 'a signal ends a login' 143 $?

# ---- a registry with tokens ----

python3 "$here/registry.py" "$work/asked" >"$work/port" &
servers+=($!)
while [ ! -s "$work/port" ]; do sleep 0.05; done
server=127.0.0.1:$(cat "$work/port")
given='wrong'
says 1 '' 'unauthorized: incorrect username or password' login -u ann --password-stdin "$server"
given=$password
says 0 'Login Succeeded' '' login -u ann --password-stdin "$server"
same 'the refresh token is kept, the password not' \
	"{\"auth\":\"$(printf 'ann:' | base64)\",\"identitytoken\":\"for-long\"}" \
	"$(jq -c '.auths[]' "$config")"
says 0 "Removing login credentials for $server" '' logout "https://$server/v2/"
same 'erased' '{"auths":{}}' "$(jq -c . "$config")"
same 'paths that were asked' "/token?service=test&account=ann&client_id=veneer&offline_token=true
/v2/" "$(cut -d ' ' -f 1 "$work/asked" | sort -u)"
rm "$config"

# ---- a terminal ----

# typed STEP... -- ARGUMENT... - what a terminal shows
typed() {
	local steps=()
	while [ "$1" != -- ]; do
		steps+=("$1")
		shift
	done
	shift
	python3 "$here/type.py" "${steps[@]}" -- "$veneer" "$@"
}
same 'prompts' 'Username:  ann 
Password: 
Login Succeeded
[0 echo]' "$(typed 'Username: = ann ' "Password: =$password" -- login "$server")"
same 'a name is given' 'Password: 
unauthorized: incorrect username or password
[1 echo]' "$(typed 'Password: =wrong' -- login -u ann "$server")"
same 'no name' 'Username: 
error: username is required
[1 echo]' "$(typed 'Username: =' -- login "$server")"
same 'no password' 'Password: 
error: password is required
[1 echo]' "$(typed 'Password: =' -- login -u ann "$server")"
same 'interrupted at the name' 'Username: ^C
[130 echo]' "$(typed 'Username: =^C' -- login "$server")"
same 'interrupted at the password' 'Password: 
[130 echo]' "$(typed 'Password: =^C' -- login -u ann "$server" | sed 's/\^C//')"
same 'ended at the password' 'Password: 
[143 echo]' "$(typed 'Password: =!15' -- login -u ann "$server")"
rm "$config"

# ---- a helper ----

cat >"$work/bin/docker-credential-test" <<'END'
#!/bin/sh
case $1 in
store) cat >"$HOME/kept" ;;
get) cat >/dev/null; cat "$HOME/kept" 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
erase) cat >/dev/null; rm "$HOME/kept" 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
esac
END
chmod +x "$work/bin/docker-credential-test"
echo '{"mine":[1],"credsStore":"test"}' >"$config"
says 0 'Login Succeeded' "$insecure" login -u ann -p "$password" "$server"
same 'the helper has it' "{\"ServerURL\":\"$server\",\"Username\":\"<token>\",\"Secret\":\"for-long\"}" \
	"$(cat "$HOME/kept")"
same 'the file does not' "{\"mine\":[1],\"credsStore\":\"test\",\"auths\":{\"$server\":{}}}" "$(jq -c . "$config")"
says 0 "Removing login credentials for $server" '' logout "$server"
same 'the helper has forgotten' no "$(test -e "$HOME/kept" || echo no)"
same 'the file too' '{"mine":[1],"credsStore":"test","auths":{}}' "$(jq -c . "$config")"
echo '{"credsStore":"absent"}' >"$config"
says 1 '' "$insecure
Error saving credentials: error storing credentials: run docker-credential-absent: No such file or directory" \
	login -u ann -p "$password" "$server"
rm -r "$HOME/.docker"

# ---- Debian's registry ----

# registry NAME [TLS...] - starts one for ann; its port is in $port
registry() {
	local name=$1
	shift
	port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
	# "pass:w$rd"
	# shellcheck disable=SC2016
	echo 'ann:$2y$05$abcdefghijklmnopqrstuuj35k/7ZgxqIHkJnFW.DXDuY8L2WsyuO' >"$work/htpasswd"
	{
		printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\n' "$work/$name"
		printf 'http: {addr: "127.0.0.1:%s"%s}\n' "$port" "$*"
		printf 'auth: {htpasswd: {realm: test, path: %s}}\n' "$work/htpasswd"
	} >"$work/$name.yml"
	docker-registry serve "$work/$name.yml" >"$work/$name.log" 2>&1 &
	servers+=($!)
	for _ in $(seq 200); do
		! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
		sleep 0.05
	done
	cat "$work/$name.log"
	return 1
}

with_registry() {
	local server
	registry plain || return
	server=localhost:$port
	given='wrong'
	says 1 '' "login attempt to http://$server/v2/ failed with status: 401 Unauthorized" \
		login -u ann --password-stdin "$server"
	same 'nothing is stored' no "$(test -e "$config" || echo no)"
	given="$password"$'\r\n'
	says 0 'Login Succeeded' "$unencrypted" login -u ann --password-stdin "$server"
	printf '{\n\t"auths": {\n\t\t"%s": {\n\t\t\t"auth": "%s"\n\t\t}\n\t}\n}' "$server" \
		"$(printf 'ann:%s' "$password" | base64)" >"$work/expected"
	same 'the file, as Docker writes it' "$(cat "$work/expected")" "$(cat "$config")"
	same 'its mode' '600 700' "$(stat -c %a "$config" "$HOME/.docker" | xargs)"
	given=''
	says 0 'Login Succeeded' "$existing" login "$server"
	says 0 'Login Succeeded' "$insecure" login -u ann -p "$password" "http://$server/v1/"
	given=$password$'\n'
	says 0 'Login Succeeded' '' -D login -u ann -p - "$server"
	DOCKER_AUTH_CONFIG='{"auths":{}}' says 0 "Removing login credentials for $server" \
		'WARNING: DOCKER_AUTH_CONFIG is set and takes precedence.
Unset DOCKER_AUTH_CONFIG to restore the CLI auth behaviour.' logout "$server"
	same 'erased' '{"auths":{}}' "$(jq -c . "$config")"
	mv "$config" "$work/elsewhere.json"
	printf '{"z":{"b":1},"auths":{"%s":{"auth":"%s"}},"a":0}' "$server" "$(printf ann:old | base64)" \
		>"$work/elsewhere.json"
	ln -s "$work/elsewhere.json" "$config"
	given=''
	says 1 '' "$existing

Stored credentials invalid or expired
$no_terminal" login "$server"
	same 'with the old name' "Authenticating with existing credentials... [Username: ann]

To login with a different account, run 'veneer logout' followed by 'veneer login'

Stored credentials invalid or expired
Username (ann): 
Password: 
$unencrypted

Login Succeeded
[0 echo]" "$(typed 'Username (ann): =' "Password: =$password" -- login "$server")"
	same 'other keys and the link stay' '{"z":{"b":1},"auths":{},"a":0} yes' \
		"$("$veneer" logout "$server" >/dev/null; jq -c . "$config") $(test -L "$config" && echo yes)"
	rm -r "$HOME/.docker"
	with_tls
}

# A certificate that nobody has reason to trust, and then has. By a name that is not this machine's
# own: of that any certificate will do.
with_tls() {
	local server
	if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
		echo 'skipped: a name and a trusted certificate need mounts of our own'
		return
	fi
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=registry.test \
		-addext subjectAltName=DNS:registry.test -keyout "$work/key" -out "$work/cert" 2>/dev/null
	registry tls ", tls: {certificate: $work/cert, key: $work/key}" || return
	server=registry.test:$port
	given=$password
	echo '127.0.0.1 localhost registry.test' >"$work/hosts"
	printf '%s' "$given" | login_mounted "$work/hosts" /etc/hosts >"$work/out" 2>"$work/err"
	same 'status with a certificate that is not trusted' 1 $?
	same 'its text' "Get \"https://$server/v2/\": " "$(grep -o '^Get "[^"]*": ' "$work/err")"
	same 'its reason' 1 "$(grep -c 'certificate' "$work/err")"
	same 'nobody asked the registry' 0 "$(grep -c 'http.request.uri=/v2/' "$work/tls.log")"
	printf '%s' "$given" | login_mounted "$work/hosts" /etc/hosts "$work/cert" \
		/etc/ssl/certs/ca-certificates.crt >"$work/out" 2>"$work/err"
	same 'with one that is' 'Login Succeeded' "$(cat "$work/out")"
	rm -f "$config"
	server=localhost:$port
	printf '%s' "$given" | "$veneer" login -u ann --password-stdin "$server" >"$work/out" 2>"$work/err"
	same 'this machine may have any certificate' 'Login Succeeded' "$(cat "$work/out")"
	rm -f "$config"
}

# FILE PLACE...: with each file in its place, for this login alone.
login_mounted() {
	# shellcheck disable=SC2016
	unshare -m sh -c 'veneer=$1 server=$2; shift 2
		while [ $# -gt 0 ]; do mount --bind "$1" "$2" || exit 9; shift 2; done
		exec "$veneer" login -u ann --password-stdin "$server"' sh "$veneer" "$server" "$@"
}

if command -v docker-registry >/dev/null; then
	with_registry || failed=$((failed + 1))
elif [ "${REGISTRY_MUST_WORK:-}" = 1 ]; then
	echo 'FAILED: no docker-registry'
	failed=$((failed + 1))
else
	echo 'skipped: no docker-registry'
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
