#!/usr/bin/env bash
# clients-test.sh [SCRIPT ...] runs the scripts of test/clients, by default all, against local mode, and prints one table of
# client, operation and outcome. It ends with an error unless every outcome is ok. See test/clients/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
. hack/localmode.sh
grpcurl=v1.9.4

# The clients, one folder for each list of them: a venv, npm's packages, and Go's commands.
home=$CACHE/clients-test-$(cat test/clients/requirements.txt test/clients/package.json <(echo $grpcurl) | sha256sum | cut -c1-12)
if [ ! -f "$home/stamp" ]; then
	echo "installing the clients ..."
	rm -rf "$home"
	python3 -m venv "$home/venv"
	"$home/venv/bin/pip" install --quiet --disable-pip-version-check -r test/clients/requirements.txt
	cp test/clients/package.json "$home"
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$home"
	CGO_ENABLED=0 GOBIN=$home/bin go install github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl
	touch "$home/stamp"
fi
export PATH=$home/venv/bin:$home/node_modules/.bin:$home/bin:$PATH NODE_PATH=$home/node_modules PYTHONPATH=$PWD/test/clients

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
REQUEST_TIMEOUT=30s start_local --allow-unsigned-events
for part in gateway resize detect filter broker bridge; do
	export "${part^^}_URL=$(url $part)"
done
export S3_URL=$(url objects) AWS_ACCESS_KEY_ID=imageflow AWS_SECRET_ACCESS_KEY=imageflow-local AWS_DEFAULT_REGION=us-east-1
export BUCKET=imageflow-files IMAGE=$PWD/test/images/sample.jpg

scripts=("$@")
[ $# != 0 ] || mapfile -t scripts < <(find test/clients -maxdepth 1 -type f -executable | sort)
rows=$work/rows
for script in "${scripts[@]}"; do
	echo "$(basename "$script") ..." >&2
	mkdir "$work/tmp"
	result=0
	TMPDIR=$work/tmp timeout 300 "$script" >"$work/printed" 2>"$work/errors" || result=$?
	cat "$work/printed" >>"$rows"
	if [ $result != 0 ]; then
		printf '%s\tthe script\tended with status %s\n' "$(basename "$script")" $result >>"$rows"
		tail -n 20 "$work/errors" >&2
	fi
	rm -rf "$work/tmp"
done

echo
awk -F '\t' 'NF == 3 {print; next} {print "?\t" $0 "\tnot a row: CLIENT<TAB>OPERATION<TAB>OUTCOME"}' "$rows" >"$work/table"
awk -F '\t' 'BEGIN {print "| client | operation | outcome |\n|---|---|---|"} {print "| " $1 " | " $2 " | " $3 " |"}' "$work/table"
failed=$(awk -F '\t' '$3 !~ /^ok($| )/' "$work/table" | wc -l)
echo
echo "$(wc -l <"$work/table") operations, $failed failed"
if [ "$failed" != 0 ]; then
	grep -v -e '^  ' -e '^$' "$work/out" | tail -n 30 >&2 # what local mode logged
	exit 1
fi
