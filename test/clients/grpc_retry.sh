#!/usr/bin/env bash
# 20 calls at the same time to a resize with a queue of 4, by Python's grpcio and by grpc-go: with the service config that
# the gateway publishes, all are done.
set -euo pipefail
cd "$(dirname "$0")/../.."
. hack/localmode.sh
work=$(mktemp -d)
MAX_ACTIVE_JOBS=1 QUEUE_LENGTH=4 start_local
RESIZE_URL=$(url resize)
export RESIZE_URL SERVICE_CONFIG=$work/service-config.json
curl -sSf -o "$SERVICE_CONFIG" "$(url gateway)/service-config.json"
python3 test/clients/grpcretry/grpc_retry.py
go -C test run ./clients/grpcretry
