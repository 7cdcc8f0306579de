package gateway

import (
	_ "embed"
	"net/http"
)

const serviceConfigPath = "/service-config.json"

// serviceConfig is the service config that gRPC clients should use: they repeat calls that were refused as busy.
//
//go:embed service_config.json
var serviceConfig []byte

func serveServiceConfig(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(serviceConfig)
}
