package gateway

import (
	_ "embed"
	"net/http"
)

const openAPIPath = "/openapi.json"

// openAPI describes `/v1/...`. `make proto` generates it from the contract.
//
//go:embed openapi.swagger.json
var openAPI []byte

func serveOpenAPI(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}
