package role

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"google.golang.org/grpc"

	"imageflow.dev/internal/console"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/telemetry"
	"imageflow.dev/internal/triggers"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// noStore is the reason in errors of calls that need a store.
const noStore = "MINIO_ENDPOINT is not set for the gateway"

// listenGateway serves the processors in JSON, and its own services in JSON and gRPC.
func listenGateway(ctx context.Context, c *GatewayConfig, t *telemetry.Tracing) (Process, error) {
	set, err := c.Presets()
	if err != nil {
		return nil, err
	}
	conns, err := c.dial(t)
	if err != nil {
		return nil, err
	}
	var store *objects.Store
	if c.Endpoint != "" {
		if store, err = c.open(c.tagBucket()); err != nil {
			return nil, errors.Join(err, conns.Close())
		}
	}
	reader := index.NewReader(store, c.DeadLetters)
	executions := &gateway.Executions{
		Store: store, Missing: "executions cannot be looked up: " + noStore,
		DeadLetters: execution.NewDeadLetterStore(store, c.DeadLetters), Index: reader, Hub: index.NewHub(reader, c.Watches),
		Bucket: c.Bucket, ReadFrom: c.ReadFrom, Chains: c.chains(set),
	}
	pipeline := &gateway.Pipeline{
		Processors: conns, Presets: set, Store: store, Missing: "images in the store cannot be read: " + noStore,
		Bucket: c.Bucket, ReadFrom: c.ReadFrom, MaxBytes: c.BodyBytes, Timeout: c.Timeout,
	}
	json, err := gateway.New(ctx, c.Timeout, c.BodyBytes, append(conns.Backends(), executions.Backend(), pipeline.Backend())...)
	if err != nil {
		return nil, errors.Join(err, conns.Close())
	}
	handler, err := c.route(t, json, pipeline)
	if err != nil {
		return nil, errors.Join(err, conns.Close())
	}
	return c.listen(t, handler, executions, pipeline)
}

// events returns the handler of events, which must have a signature and, with an issuer, the broker's token.
func (c *GatewayConfig) events(pipeline *gateway.Pipeline) (http.Handler, error) {
	signer, err := c.Signer()
	if err != nil {
		return nil, err
	}
	verifier, err := c.verifier()
	if err != nil {
		return nil, err
	}
	return verifier.Require(&gateway.Events{Pipeline: pipeline, Signer: signer}), nil
}

// chains returns the description of the chains; nil if the gateway does not know the Triggers.
func (c *GatewayConfig) chains(set *presets.Set) *gateway.Chains {
	read := c.Manifests
	if read == nil && len(c.Triggers) > 0 {
		read = func() ([]triggers.File, error) { return triggers.ReadFiles(c.Triggers) }
	}
	if read == nil {
		return nil
	}
	return &gateway.Chains{Read: read, Presets: set, CheckStep: func(service, query string) error {
		p, _ := processors.At(service)
		for _, r := range processorRoles {
			if r.Name == p.Name {
				return r.CheckParameters(set, query)
			}
		}
		return nil
	}}
}

// route adds images and events, if there are keys for them, to a handler of JSON.
func (c *GatewayConfig) route(t *telemetry.Tracing, json http.Handler, pipeline *gateway.Pipeline) (http.Handler, error) {
	images, err := c.images(pipeline)
	if err != nil {
		return nil, err
	}
	if images != nil {
		json = gateway.RouteImages(images, json)
	}
	handler := t.JSON(json)
	if !c.takesEvents() {
		return handler, nil
	}
	events, err := c.events(pipeline)
	if err != nil {
		return nil, err
	}
	return gateway.RouteEvents(t.Handler(events), handler), nil
}

// dial connects to the processors; it does not wait for them.
func (c *GatewayConfig) dial(t *telemetry.Tracing) (gateway.Processors, error) {
	return gateway.Dial(func(p processors.Info) string { return c.Endpoints[p.Name] }, int(c.BodyBytes),
		t.Client(), grpc.WithChainUnaryInterceptor(server.ReserveJSON))
}

func (c *GatewayConfig) listen(
	t *telemetry.Tracing, handler http.Handler, executions *gateway.Executions, pipeline *gateway.Pipeline,
) (*server.Server, error) {
	healthy := serving(imageflowv1.ExecutionService_ServiceDesc.ServiceName, imageflowv1.PipelineService_ServiceDesc.ServiceName)
	services := server.NewRPC(server.RPCConfig{MaxReceiveBytes: int(c.BodyBytes), Options: []grpc.ServerOption{t.Server()}})
	imageflowv1.RegisterExecutionServiceServer(services, executions)
	imageflowv1.RegisterPipelineServiceServer(services, pipeline)
	config := c.serve("gateway", c.BodyBytes/2)
	config.AnswerBytes = c.BodyBytes // enough for two of the largest answers, as JSON
	config.IsWatch, config.MaxWatches, config.OnDrain = gateway.IsWatch, c.Watches, executions.Hub.Close
	config.Authorize = gateway.Token(c.Token).Authorize
	if c.Pages != nil {
		handler = c.addPages(&config, handler)
	}
	config.Closers = append(config.Closers, pipeline.Processors)
	config.Guard = func(next http.Handler) http.Handler {
		next = gateway.CORS(c.Origins, next)
		if c.Guard != nil {
			next = c.Guard(next)
		}
		return next
	}
	return server.Listen(config, services, handler, healthy)
}

// addPages serves the console at all paths that are not the gateway's. It has a token of its own.
func (c *GatewayConfig) addPages(config *server.Config, handler http.Handler) http.Handler {
	authorize, closeWatches := config.Authorize, config.OnDrain
	config.Authorize = func(r *http.Request) bool { return isPage(r) || authorize(r) }
	config.IsWatch = func(r *http.Request) bool { return gateway.IsWatch(r) || console.IsWatch(r) }
	config.OnDrain = func() {
		closeWatches()
		c.Pages.Close()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPage(r) {
			c.Pages.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// isPage reports whether a request on the gateway's port is for the console: its path is neither one of the JSON API nor of
// a gRPC service, and it is no event for the gateway.
func isPage(r *http.Request) bool {
	path := r.URL.Path
	return !gateway.IsDocument(path) &&
		!strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/health/") &&
		!strings.HasPrefix(path, "/imageflow.") && !strings.HasPrefix(path, "/grpc.") && (path != "/" || r.Method != http.MethodPost)
}
