package role

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"imageflow.dev/internal/console"
	"imageflow.dev/internal/rules"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/telemetry"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// maxConsoleAnswerBytes bounds an answer of the gateway.
const maxConsoleAnswerBytes = 32 << 20

// maxUploadPrefixBytes leaves room in keys for the names of images and outputs.
const maxUploadPrefixBytes = 512

// ConsoleConfig is the environment of the console.
type ConsoleConfig struct {
	Server
	Store
	Signing
	OIDC

	Gateway  string        `envconfig:"GATEWAY_ENDPOINT" default:"grpc-gateway:80" desc:"host:port of the gateway"`
	Token    string        `envconfig:"GATEWAY_TOKEN" desc:"token of the gateway, which people must enter; empty: none"`
	ReadFrom []string      `envconfig:"READ_FROM" desc:"buckets, or bucket/prefix, whose images are shown; empty or *: all"`
	Prefix   string        `envconfig:"UPLOAD_PREFIX" default:"uploads/" desc:"start of the keys of images that people send"`
	MaxBytes int64         `envconfig:"MAX_OBJECT_BYTES" default:"67108864" desc:"maximum size of an image in bytes"`
	TraceURL string        `envconfig:"TRACE_URL" desc:"page of a trace, with {trace_id} in it; empty: none"`
	Address  string        `envconfig:"GATEWAY_URL" desc:"URL of the gateway in commands to copy; empty: the URL of the pages"`
	Probes   string        `envconfig:"READINESS_URLS" desc:"name=URL of the readiness of other roles, separated by spaces"`
	Timeout  time.Duration `envconfig:"REQUEST_TIMEOUT" default:"60s" desc:"time limit of a call of the gateway"`
	Pages    int           `envconfig:"MAX_PAGES" default:"200" desc:"maximum number of open pages with live updates"`
	// Services are the URLs of Services in commands to copy, if they are not those of a cluster.
	Services map[string]string `ignored:"true"`
}

// Validate reports every variable that is missing or out of range.
func (c *ConsoleConfig) Validate() error {
	_, probes := c.probes()
	return errors.Join(c.Server.validate(), c.Store.validate(), c.Signing.validate(), c.OIDC.validate(), probes,
		gatewayEndpoint(c.Gateway), uploadPrefix(c.Prefix), bearer("GATEWAY_TOKEN", c.Token),
		atLeast("MAX_OBJECT_BYTES", c.MaxBytes, 1), traceURL(c.TraceURL), gatewayURL(c.Address),
		atLeast("REQUEST_TIMEOUT", c.Timeout, 1), atLeast("MAX_PAGES", c.Pages, 0))
}

// probes returns the URLs of the readiness of other roles, by name.
func (c *ConsoleConfig) probes() (map[string]string, error) {
	all, err := rules.Pairs("READINESS_URLS", c.Probes)
	for name, text := range all {
		u, bad := url.Parse(text)
		if bad != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			err = errors.Join(err, fmt.Errorf("READINESS_URLS has %.64q for %.64q but must have http or https URLs", text, name))
		}
	}
	return all, err
}

func gatewayEndpoint(text string) error {
	if host, port, err := net.SplitHostPort(text); err != nil || host == "" || port == "" || strings.ContainsAny(text, "/ ") {
		return fmt.Errorf("GATEWAY_ENDPOINT is %.64q but must be host:port", text)
	}
	return nil
}

// uploadPrefix returns an error for a start of keys that a store would refuse.
func uploadPrefix(text string) error {
	if text == "" || fs.ValidPath(strings.TrimSuffix(text, "/")) && len(text) <= maxUploadPrefixBytes {
		return nil
	}
	return fmt.Errorf("UPLOAD_PREFIX is %.64q but must be a path such as uploads/, without .. and of at most %d bytes", text,
		maxUploadPrefixBytes)
}

func gatewayURL(text string) error {
	u, err := url.Parse(text)
	if text == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" {
		return nil
	}
	return fmt.Errorf("GATEWAY_URL is %.64q but must be an http or https URL without a query", text)
}

func traceURL(text string) error {
	u, err := url.Parse(text)
	if text == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.Contains(text, "{trace_id}") {
		return nil
	}
	return fmt.Errorf("TRACE_URL is %.64q but must be an http or https URL with {trace_id}", text)
}

// Console returns the pages, for the port of another role, which must call Close before it drains.
func (c *ConsoleConfig) Console(t *telemetry.Tracing) (*console.Console, error) {
	signer, err := c.Signer()
	if err != nil {
		return nil, err
	}
	store, err := c.open("")
	if err != nil {
		return nil, err
	}
	probes, err := c.probes()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+c.Gateway, grpc.WithTransportCredentials(insecure.NewCredentials()), t.Client(),
		grpc.WithPerRPCCredentials(bearerToken(c.Token)), grpc.WithChainUnaryInterceptor(c.limit),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxConsoleAnswerBytes)))
	if err != nil {
		return nil, err
	}
	return console.New(console.Config{
		Executions: imageflowv1.NewExecutionServiceClient(conn), Pipelines: imageflowv1.NewPipelineServiceClient(conn),
		Gateway: &toGateway{host: c.Gateway, token: bearerToken(c.Token), next: t.Transport(http.DefaultTransport)},
		Store:   store, Bucket: c.Bucket, UploadPrefix: c.Prefix, ReadFrom: c.ReadFrom, MaxUploadBytes: c.MaxBytes,
		Signer: signer, Token: c.Token, TraceURL: c.TraceURL, Probes: probes, MaxPages: c.Pages, HealthPeriod: console.HealthPeriod,
		GatewayURL: c.Address, ServiceURLs: c.Services, CallTimeout: c.Timeout,
	})
}

// limit bounds the time of a call.
func (c *ConsoleConfig) limit(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return invoke(ctx, method, req, reply, conn, options...)
}

// bearerToken is sent with each call. An empty one is not.
type bearerToken string

// GetRequestMetadata returns the header of the token.
func (t bearerToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if t == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + string(t)}, nil
}

// RequireTransportSecurity returns false: inside a cluster there is no TLS.
func (bearerToken) RequireTransportSecurity() bool { return false }

// toGateway sends requests to the gateway with its token.
type toGateway struct {
	host  string
	token bearerToken
	next  http.RoundTripper
}

// RoundTrip sends a request whose URL has only a path and a query.
func (g *toGateway) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", g.host
	if g.token != "" {
		r.Header.Set("Authorization", "Bearer "+string(g.token))
	}
	return g.next.RoundTrip(r)
}

func listenConsole(c *ConsoleConfig, t *telemetry.Tracing) (Process, error) {
	pages, err := c.Console(t)
	if err != nil {
		return nil, err
	}
	verifier, err := c.verifier()
	if err != nil {
		return nil, err
	}
	events := t.Handler(verifier.Require(pages))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == console.EventsPath {
			events.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
	config := c.serve("console", 2*c.MaxBytes)
	config.IsWatch, config.MaxWatches, config.OnDrain = console.IsWatch, c.Pages, pages.Close
	return server.Listen(config, nil, handler, serving())
}
