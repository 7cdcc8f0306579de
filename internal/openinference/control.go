package openinference

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/server"
)

// Control loads and unloads models for requests with a token.
type Control struct {
	// Token is not empty.
	Token server.Token
	// Load loads the files of a model as they are now, and Unload unloads it. Their errors are gRPC statuses.
	Load, Unload func(ctx context.Context, name string) error
}

// maxBodyBytes bounds the body of a request.
const maxBodyBytes = 64 << 10

// readBody reads the JSON object in a body, which may be empty: many clients send none. Example is such an object.
func readBody(r *http.Request, to any, example string) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	switch {
	case err != nil:
		return status.Error(codes.InvalidArgument, "the body could not be read")
	case len(text) > maxBodyBytes:
		return status.Errorf(codes.InvalidArgument, "the body is larger than %d bytes", maxBodyBytes)
	case len(text) > 0 && json.Unmarshal(text, to) != nil:
		return status.Errorf(codes.InvalidArgument, "the body must be a JSON object, as %s", example)
	}
	return nil
}

// controlRequest is $repository_load_request and $repository_unload_request.
type controlRequest struct {
	Parameters map[string]any `json:"parameters"`
}

func (h *handler) load(r *http.Request) (any, error) {
	given, err := h.parameters(r)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		return nil, status.Errorf(codes.InvalidArgument,
			"parameters: %.64q is not supported: models and their config.pbtxt are loaded as they are in the repository", name)
	}
	return nil, h.control.Load(r.Context(), r.PathValue("name"))
}

// unload ignores unload_dependents: no model depends on another one.
func (h *handler) unload(r *http.Request) (any, error) {
	given, err := h.parameters(r)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, isBool := given[name].(bool); name != "unload_dependents" || !isBool {
			return nil, status.Errorf(codes.InvalidArgument, "parameters: %.64q: only unload_dependents can be given, true or false", name)
		}
	}
	return nil, h.control.Unload(r.Context(), r.PathValue("name"))
}

// parameters returns the parameters of an authorized request.
func (h *handler) parameters(r *http.Request) (map[string]any, error) {
	switch {
	case h.control == nil:
		return nil, status.Error(codes.FailedPrecondition,
			"models follow the files of the repository: load and unload need MODEL_CONTROL=explicit")
	case !h.control.Token.Authorizes(r.Header.Get("Authorization")):
		return nil, status.Error(codes.Unauthenticated, "the header Authorization must be Bearer and MODEL_CONTROL_TOKEN")
	}
	var request controlRequest
	err := readBody(r, &request, `{"parameters": {}}`)
	return request.Parameters, err
}
