// Package openinference describes, loads and unloads models in the Open Inference Protocol (KServe v2) over HTTP:
// https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
// and Triton's model repository extension:
// https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md
package openinference

import (
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Path is the path of the server's metadata, and with a slash the prefix of all others.
const Path = "/v2"

// handler answers the requests.
type handler struct {
	models  imageflowv1.ModelServiceServer
	control *Control
	server  serverMetadata
}

// New returns a handler of the requests at Path and below. It does not run models. Without a control, which is nil
// then, it does not change them either.
func New(models imageflowv1.ModelServiceServer, control *Control) http.Handler {
	h := &handler{models: models, control: control, server: serverMetadata{Name: "imageflow", Extensions: []string{}}}
	if control != nil {
		h.server.Extensions = []string{"model_repository"}
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		h.server.Version = build.Main.Version
	}
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"GET /v2":               h.metadata,
		"GET /v2/{$}":           h.metadata,
		"GET /v2/health/live":   h.live,
		"GET /v2/health/ready":  h.ready,
		"GET /v2/models/{name}": h.model,
		"GET /v2/models/{name}/versions/{version}":       h.model,
		"GET /v2/models/{name}/ready":                    h.modelReady,
		"GET /v2/models/{name}/versions/{version}/ready": h.modelReady,
		"POST /v2/repository/index":                      h.index,
		"POST /v2/repository/models/{name}/load":         h.load,
		"POST /v2/repository/models/{name}/unload":       h.unload,
		"/": missing,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := answer(r)
			write(w, body, err)
		})
	}
	return mux
}

// write answers with JSON, or with an error of the protocol.
func write(w http.ResponseWriter, body any, err error) {
	code := http.StatusOK
	var notReady *notReadyError
	switch {
	case errors.As(err, &notReady):
		code, body = http.StatusBadRequest, notReady.answer
	case err != nil:
		code, body = runtime.HTTPStatusFromCode(status.Code(err)), map[string]string{"error": status.Convert(err).Message()}
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if body == nil { // the answers of load and unload
		w.WriteHeader(code)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller may be gone
}

func missing(*http.Request) (any, error) {
	return nil, status.Error(codes.NotFound, "no such endpoint: models are described here, but run at /v1/detect")
}

// serverMetadata is $metadata_server_response.
type serverMetadata struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

func (h *handler) metadata(*http.Request) (any, error) { return h.server, nil }

// liveness is $live_server_response and $ready_server_response, with a field for the latter.
type liveness struct {
	Live  bool  `json:"live"`
	Ready *bool `json:"ready,omitempty"`
}

// readiness is $ready_model_response.
type readiness struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
}

// notReadyError has an answer that says that something is not ready. Its status is a 4xx, as the protocol says.
type notReadyError struct{ answer any }

// Error is for logs.
func (e *notReadyError) Error() string { return "not ready" }

func (h *handler) live(*http.Request) (any, error) { return liveness{Live: true}, nil }

// ready reports whether the default model is ready.
func (h *handler) ready(r *http.Request) (any, error) {
	list, err := h.models.ListModels(r.Context(), &imageflowv1.ListModelsRequest{})
	ready := false
	for _, m := range list.GetModels() {
		ready = ready || m.GetDefault() && m.GetReady()
	}
	answer := liveness{Live: true, Ready: &ready}
	if err != nil || !ready {
		return nil, &notReadyError{answer}
	}
	return answer, nil
}

func (h *handler) modelReady(r *http.Request) (any, error) {
	got, err := h.get(r)
	if err != nil {
		return nil, err
	}
	answer := readiness{r.PathValue("name"), got.GetModel().GetReady()}
	if !answer.Ready {
		return nil, &notReadyError{answer}
	}
	return answer, nil
}

// get returns the model of the path.
func (h *handler) get(r *http.Request) (*imageflowv1.GetModelResponse, error) {
	return h.models.GetModel(r.Context(), &imageflowv1.GetModelRequest{
		Name: r.PathValue("name"), Version: r.PathValue("version"),
	})
}

// modelMetadata is $metadata_model_response.
type modelMetadata struct {
	Name     string   `json:"name"`
	Versions []string `json:"versions,omitempty"`
	Platform string   `json:"platform"`
	Inputs   []tensor `json:"inputs"`
	Outputs  []tensor `json:"outputs"`
}

// tensor is $metadata_tensor.
type tensor struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

// platforms are the names of backends in Triton.
var platforms = map[string]string{"onnxruntime": "onnxruntime_onnx"}

func (h *handler) model(r *http.Request) (any, error) {
	got, err := h.get(r)
	if err != nil {
		return nil, err
	}
	m := got.GetModel()
	if !m.GetReady() {
		return nil, status.Errorf(codes.InvalidArgument, "model %q is not ready: %s", m.GetName(), m.GetReason())
	}
	platform, ok := platforms[m.GetBackend()]
	if !ok {
		platform = m.GetBackend()
	}
	return modelMetadata{
		Name: m.GetName(), Versions: m.GetAvailableVersions(), Platform: platform,
		Inputs: tensors(got.GetInputs()), Outputs: tensors(got.GetOutputs()),
	}, nil
}

func tensors(all []*imageflowv1.ModelTensor) (described []tensor) {
	for _, t := range all {
		described = append(described, tensor{t.GetName(), t.GetType(), t.GetShape()})
	}
	return described
}
