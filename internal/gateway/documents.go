package gateway

import (
	_ "embed"
	"net/http"
)

// openAPI describes `/v1/...`. `make proto` generates it from the contract.
//
//go:embed openapi.json
var openAPI []byte

// protoFile is the contract in one file for clients of gRPC in any language. `make proto` generates it.
//
//go:embed imageflow.proto
var protoFile []byte

// serviceConfig is the service config for gRPC clients: with it, they retry calls that were rejected as busy.
//
//go:embed service_config.json
var serviceConfig []byte

type document struct {
	text      []byte
	mediaType string
}

// documents are the files for the authors of clients that the gateway serves, by path.
var documents = map[string]document{
	"/openapi.json":        {openAPI, "application/json"},
	"/proto":               {protoFile, "text/plain; charset=utf-8"},
	"/service-config.json": {serviceConfig, "application/json"},
}

// IsDocument reports whether the gateway serves a document at a path.
func IsDocument(path string) bool { return documents[path].text != nil }

func (d document) serve(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	w.Header().Set("Content-Type", d.mediaType)
	_, _ = w.Write(d.text)
}
