#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# Registries over TLS: whose certificates are believed; passwords, mirrors, IPv6.
#
# In a mount namespace with an /etc of its own: names that are not the loopback's, and certs.d.
if [ -z "${VENEER_OWN_ETC:-}" ]; then
	exec env VENEER_OWN_ETC=1 unshare -m bash "$0"
fi
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(realpath "$(dirname "$0")")

if ! command -v docker-registry >/dev/null || ! command -v openssl >/dev/null; then
	echo 'skip transport: no docker-registry, or no openssl'
	exit 0
fi
ip link set lo up
cp -a /etc "$WORK/etc"
mount --bind "$WORK/etc" /etc
printf '127.0.0.1 localhost one.test two.test\n::1 ip6.test\n' >/etc/hosts
rm -rf /etc/docker/certs.d /etc/containers/certs.d
export DOCKER_CONFIG=$WORK/docker
servers=()
trap 'kill "${servers[@]}"' EXIT
cd "$WORK" || exit 1

v() { "$VENEER" "$@"; }

# ---- certificates: a CA for servers, another for clients ----

make_ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=$1" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

# make_cert CA NAME EXTENSION
make_cert() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
		-keyout "$2.key" -out "$2.csr" 2>/dev/null
	openssl x509 -req -in "$2.csr" -CA "$1.crt" -CAkey "$1.key" -CAcreateserial -days 2 \
		-extfile <(echo "$3") -out "$2.cert" 2>/dev/null
}

make_ca servers
make_ca clients
make_cert servers server 'subjectAltName=DNS:one.test,DNS:two.test,DNS:ip6.test,IP:::1,IP:127.0.0.1'
make_cert clients client 'extendedKeyUsage=clientAuth'
# user: ann, password: secret
printf 'ann:$2y$05$%s\n' "$(python3 -W ignore -c 'import crypt; print(crypt.crypt("secret", "$2b$05$" + "a" * 21 + "u")[7:])')" >htpasswd

# serve NAME ADDRESS MORE - with the folder of images that all share
serve() {
	cat >"$1.yml" <<-END
		version: 0.1
		storage: { filesystem: { rootdirectory: $WORK/registry } }
		$3
	END
	docker-registry serve "$1.yml" >"$1.log" 2>&1 &
	servers+=($!)
	for _ in $(seq 100); do
		(: <"/dev/tcp/${2%:*}/${2##*:}") 2>/dev/null && return
		sleep 0.1
	done
	cat "$1.log"
}

requests() {
	grep -c '"GET /v2/' "$1.log" || true
}

tls="certificate: $WORK/server.cert, key: $WORK/server.key"
serve plain 127.0.0.1:5000 "http: { addr: 127.0.0.1:5000 }"
serve tls 127.0.0.1:5001 "http: { addr: '127.0.0.1:5001', tls: { $tls } }"
serve auth 127.0.0.1:5002 "http: { addr: '127.0.0.1:5002', tls: { $tls } }
auth: { htpasswd: { realm: x, path: $WORK/htpasswd } }"
serve mutual 127.0.0.1:5003 "http: { addr: '127.0.0.1:5003', tls: { $tls, clientcas: [ $WORK/clients.crt ] } }"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tokens -keyout tokens.key -out tokens.crt 2>/dev/null
python3 "$here/token_server.py" 5007 server.cert server.key tokens.crt tokens.key tokens.asked 2>tokens.err &
servers+=($!)
serve token 127.0.0.1:5006 "http: { addr: '127.0.0.1:5006', tls: { $tls } }
auth: { token: { realm: 'https://one.test:5007/token', service: here, issuer: tokens,
                 rootcertbundle: $WORK/tokens.crt } }"
serve six ::1:5004 "http: { addr: '[::1]:5004', tls: { $tls } }"

# configure ROWS - "registries" of the configuration
configure() {
	printf '{ "registries": { %s } }\n' "$1" >veneer.json
	export VENEER_CONFIG=$WORK/veneer.json
}

forget() {
	for _ in 1 2; do # those that others are made of come last
		v images -aq | sort -u | xargs -r "$VENEER" rmi -f >/dev/null 2>&1 || true
	done
	is '' "$(v images -aq)"
	v builder prune -af >/dev/null
	rm -rf /etc/docker/certs.d /etc/containers/certs.d
	configure ''
}

trust() {
	mkdir -p "/etc/docker/certs.d/$1"
	cp servers.crt "/etc/docker/certs.d/$1/ca.crt"
}

unknown_ca() {
	forget
	fails 1 "$VENEER" pull -q one.test:5001/small:1
	contains 'SSL certificate problem: unable to get local issuer certificate; to trust it, put ' "$stderr"
	contains '/etc/docker/certs.d/one.test:5001/ca.crt' "$stderr"
	fails 1 "$VENEER" pull -q one.test:5000/small:1 # http where only https will do
	contains 'Get "https://one.test:5000/' "$stderr"
	is '' "$(v images -aq)"
}

trusted() {
	forget
	configure "\"one.test:5001\": { \"ca\": \"$WORK/servers.crt\" }"
	is one.test:5001/small:1 "$(v pull -q one.test:5001/small:1)"
	fails 1 "$VENEER" pull -q two.test:5001/small:1
	forget
	trust one.test:5001
	is one.test:5001/small:1 "$(v pull -q one.test:5001/small:1)"
	forget
	mkdir -p /etc/containers/certs.d/one.test:5001
	cp servers.crt /etc/containers/certs.d/one.test:5001/any.crt
	is one.test:5001/small:1 "$(v pull -q one.test:5001/small:1)"
	# The loopback needs no trust, unless it was given
	forget
	is 127.0.0.1:5001/small:1 "$(v pull -q 127.0.0.1:5001/small:1)"
	configure "\"127.0.0.1:5001\": { \"ca\": \"$WORK/clients.crt\" }"
	fails 1 "$VENEER" pull -q 127.0.0.1:5001/small:1
	contains 'SSL certificate problem' "$stderr"
	configure "\"one.test:5001\": { \"ca\": \"$WORK/none.crt\" }"
	fails 1 "$VENEER" pull -q one.test:5001/small:1
	contains 'none.crt' "$stderr"
}

insecure() {
	forget
	configure '"one.test:5000": { "insecure": true }, "two.test:5001": { "insecure": true }'
	is one.test:5000/small:1 "$(v pull -q one.test:5000/small:1)"
	is two.test:5001/small:1 "$(v pull -q two.test:5001/small:1)"
	configure '"one.test:5000": { "insecure": 1 }'
	fails 1 "$VENEER" pull -q one.test:5000/small:1
	contains 'veneer.json: key "registries": "one.test:5000": "insecure" must be true or false' "$stderr"
}

password() {
	forget
	trust one.test:5002
	fails 1 "$VENEER" pull -q one.test:5002/small:1
	contains 'authentication required' "$stderr"
	echo secret | v login -u ann --password-stdin one.test:5002 >/dev/null 2>&1
	is one.test:5002/small:1 "$(v pull -q one.test:5002/small:1)"
	forget
	fails 1 "$VENEER" login -u ann -p secret one.test:5002
	contains 'SSL certificate problem' "$stderr"
}

# A token server of its own, over TLS: nobody, somebody, and more than one right at once
tokens() {
	forget
	trust one.test:5006
	fails 1 "$VENEER" pull -q one.test:5006/ann/small:1
	contains 'pull access denied for one.test:5006/ann/small' "$stderr"
	: >tokens.asked
	echo secret | v login -u ann --password-stdin one.test:5006 >/dev/null 2>&1
	v load -q -i small.tar >/dev/null
	v tag small:1 one.test:5006/ann/small:1
	v tag small:1 one.test:5006/ann/other:1
	v tag small:1 one.test:5006/bob/small:1
	v push -q one.test:5006/ann/small:1 >/dev/null
	contains 'Mounted from ann/small' "$(v push one.test:5006/ann/other:1)"
	contains 'scope=repository:ann/other:pull,push&scope=repository:ann/small:pull' "$(sort -u tokens.asked)"
	is '' "$(grep nobody tokens.asked)" 'asked without the password'
	fails 1 "$VENEER" push -q one.test:5006/bob/small:1
	contains 'denied: requested access to the resource is denied' "$stderr"
	v rmi one.test:5006/ann/small:1 >/dev/null
	is one.test:5006/ann/small:1 "$(v pull -q one.test:5006/ann/small:1)"
	v logout one.test:5006 >/dev/null
	fails 1 "$VENEER" pull -q one.test:5006/ann/other:1
	is one.test:5006/public/small:1 "$(v pull -q one.test:5006/public/small:1)"
	is '' "$(grep -v 'SSLError\|ssl\.\|Traceback\|^  \|^-\|Exception' tokens.err)" 'the token server'
}

client_certificate() {
	forget
	trust one.test:5003
	fails 1 "$VENEER" pull -q one.test:5003/small:1
	contains '; it wants a client certificate that it knows' "$stderr"
	cp client.cert client.key /etc/docker/certs.d/one.test:5003
	is one.test:5003/small:1 "$(v pull -q one.test:5003/small:1)"
	rm /etc/docker/certs.d/one.test:5003/client.key
	fails 1 "$VENEER" pull -q one.test:5003/small:1
	contains 'missing key /etc/docker/certs.d/one.test:5003/client.key for client certificate' "$stderr"
}

literal_ipv6() {
	forget
	configure "\"[::1]:5004\": { \"ca\": \"$WORK/servers.crt\" }"
	is '[::1]:5004/small:1' "$(v pull -q '[::1]:5004/small:1')"
	forget
	trust ip6.test:5004
	is ip6.test:5004/small:1 "$(v pull -q ip6.test:5004/small:1)"
}

mirrors() {
	forget
	trust one.test:5001
	trust two.test:5001
	configure '"two.test:5001": { "mirrors": [ "127.0.0.1:5000" ] }'
	tls=$(requests tls) plain=$(requests plain)
	is two.test:5001/small:1 "$(v pull -q two.test:5001/small:1)"
	is two.test:5001/small:1 "$(v images --format '{{.Repository}}:{{.Tag}}')"
	is 0 $(($(requests tls) - tls)) 'requests to the registry itself'
	check 'the mirror was asked' test $(($(requests plain) - plain)) -ge 3
	# One that is down, one whose certificate is unknown, one that asks for a password
	forget
	trust two.test:5001
	configure '"two.test:5001": { "mirrors": [ "one.test:1", "one.test:5001", "127.0.0.1:5002" ] }'
	is two.test:5001/small:1 "$(v pull -q two.test:5001/small:1)"
	check 'the registry was asked' test $(($(requests tls) - tls)) -ge 3
	# Nobody has it
	fails 1 "$VENEER" pull two.test:5001/none
	contains 'manifest for two.test:5001/none:latest not found' "$stderr"
}

# A mirror that loses a layer, or has other bytes for it.
mirror_of_less() {
	local path
	mkdir -p less
	cp -a registry/. less
	path=$(find less -name data -size +1M -path '*blobs/sha256*' | head -n 1)
	WORK=$PWD serve_less
	for damage in other none; do
		forget
		configure '"127.0.0.1:5000": { "mirrors": [ "127.0.0.1:5005" ] }'
		if [ $damage = other ]; then
			printf 'X' | dd of="$path" bs=1 seek=1000000 conv=notrunc status=none
		else
			rm "$path"
		fi
		is 127.0.0.1:5000/debian:12 "$(v pull -q 127.0.0.1:5000/debian:12)"
		healthy
	done
}

serve_less() {
	sed "s#$WORK/registry#$WORK/less#; s/5000/5005/" plain.yml >less.yml
	docker-registry serve less.yml >less.log 2>&1 &
	for _ in $(seq 100); do
		(: </dev/tcp/127.0.0.1/5005) 2>/dev/null && return
		sleep 0.1
	done
}

# One connection carries all of a pull's documents.
few_round_trips() {
	forget
	v pull -q 127.0.0.1:5000/small:1 >/dev/null
	v tag 127.0.0.1:5000/small:1 kept
	v rmi 127.0.0.1:5000/small:1 >/dev/null
	before=$(requests plain)
	v pull -q 127.0.0.1:5000/small:1 >/dev/null
	is 1 $(($(requests plain) - before)) 'requests for an image that is there'
	before=$(requests plain)
	v pull -q 127.0.0.1:5000/twin:1 >/dev/null # another config, the same layers
	is 2 $(($(requests plain) - before)) 'requests for layers that are there'
	ports=$(grep 'response completed' plain.log | grep 'uri="*/v2/twin' | tail -n 2 | grep -o 'remoteaddr=[^ ]*' | sort -u | wc -l)
	is 1 "$ports" connections
}

fresh_store 2G
mkdir ctx
echo text >ctx/text
printf 'FROM scratch\nCOPY text /\n' >ctx/Dockerfile
v build -q -t small:1 ctx >/dev/null
printf 'FROM small:1\nLABEL a=b\n' >ctx/Dockerfile
v build -q -t twin:1 ctx >/dev/null
for image in small twin; do
	v save -o "$image.tar" "$image:1"
	skopeo copy -q --insecure-policy --dest-tls-verify=false "docker-archive:$image.tar" "docker://127.0.0.1:5000/$image:1"
done
skopeo copy -q --insecure-policy --dest-tls-verify=false docker-archive:small.tar docker://127.0.0.1:5000/public/small:1
skopeo copy -q --insecure-policy --dest-tls-verify=false "oci-archive:$IMAGES/oci.tar" docker://127.0.0.1:5000/debian:12
case_ 'an unknown certificate is refused, and what to do about it is said' unknown_ca
case_ 'a CA of the configuration or of certs.d is trusted, for its host' trusted
case_ 'an insecure registry may have any certificate, or speak http' insecure
case_ 'a password over TLS' password
case_ 'tokens over TLS' tokens
case_ 'a client certificate is shown' client_certificate
case_ 'an IPv6 address is a host' literal_ipv6
case_ 'a mirror is asked first, and the registry when it fails' mirrors
case_ 'a mirror that lies or lacks a layer' mirror_of_less
case_ 'a pull asks little, over one connection' few_round_trips
