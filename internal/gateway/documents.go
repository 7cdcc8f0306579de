package gateway

import (
	_ "embed"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

const openAPIPath = "/openapi.json"

// openAPI describes `/v1/...`. `make proto` generates it from the contract.
//
//go:embed openapi.swagger.json
var openAPI []byte

// serviceConfig is the service config for gRPC clients: with it, they retry calls that were rejected as busy.
//
//go:embed service_config.json
var serviceConfig []byte

// documents are the JSON files that the gateway serves, by path.
var documents = map[string][]byte{openAPIPath: openAPI, "/service-config.json": serviceConfig}

// IsDocument reports whether the gateway serves a JSON file at a path.
func IsDocument(path string) bool { return documents[path] != nil }

func serveDocument(document []byte) runtime.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	}
}
