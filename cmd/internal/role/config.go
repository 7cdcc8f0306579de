package role

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"time"

	"imageflow.dev/internal/console"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/triggers"
)

// Server has the variables of every role.
// Above MAX_CONNECTIONS a new connection replaces an idle one, or is refused as busy. A
// caller below MIN_BODY_RATE, or silent for 10 s within a body, is disconnected; a stream
// may pause between messages.
type Server struct {
	Telemetry
	Host         string        `desc:"address to listen on; empty means all"`
	Port         int           `default:"8080" desc:"port of all protocols; 0 chooses a free port"`
	DrainDelay   time.Duration `split_words:"true" default:"1s" desc:"time from NOT_SERVING until no new work is accepted"`
	DrainTimeout time.Duration `split_words:"true" default:"30s" desc:"time that work in flight has to finish"`
	MaxConns     int           `envconfig:"MAX_CONNECTIONS" default:"512" desc:"limit of connections, and of requests in flight"`
	MinRate      int64         `envconfig:"MIN_BODY_RATE" default:"32768" desc:"minimum transfer rate of a body, in bytes/s"`
	MaxAge       time.Duration `envconfig:"MAX_CONNECTION_AGE" default:"5m" desc:"maximum age of a connection; 0: none"`
}

func (c Server) validate() error {
	return errors.Join(port("PORT", c.Port), c.Telemetry.Validate(), atLeast("DRAIN_DELAY", c.DrainDelay, 0),
		atLeast("DRAIN_TIMEOUT", c.DrainTimeout, 0), atLeast("MAX_CONNECTION_AGE", c.MaxAge, 0),
		atLeast("MAX_CONNECTIONS", c.MaxConns, 1), atLeast("MIN_BODY_RATE", c.MinRate, 1))
}

func port(name string, value int) error {
	if value < 0 || value > 65535 {
		return fmt.Errorf("%s is %d but must be in 0 to 65535", name, value)
	}
	return nil
}

// serve returns the config of a role's port. bodyBytes limits the bodies in memory,
// apart from one more body.
func (c Server) serve(role string, bodyBytes int64) server.Config {
	return server.Config{
		Role:      role,
		Address:   net.JoinHostPort(c.Host, strconv.Itoa(c.Port)),
		BodyBytes: bodyBytes, MinBodyRate: c.MinRate,
		MaxConnections: c.MaxConns, MaxConnectionAge: c.MaxAge,
		DrainDelay: c.DrainDelay, DrainTimeout: c.DrainTimeout,
		Guard: c.Guard,
	}
}

// Store has the variables of the object store. A transfer that makes no progress for
// STORE_PROGRESS_TIMEOUT fails as Unavailable.
type Store struct {
	Endpoint  string        `envconfig:"MINIO_ENDPOINT" desc:"host:port of the object store"`
	AccessKey string        `envconfig:"MINIO_ACCESS_KEY" desc:"access key of the object store"`
	SecretKey string        `envconfig:"MINIO_SECRET_KEY" desc:"secret key of the object store"`
	Secure    bool          `envconfig:"MINIO_SECURE" default:"false" desc:"whether the object store uses TLS"`
	Region    string        `envconfig:"MINIO_REGION" default:"us-east-1" desc:"region of the object store"`
	Progress  time.Duration `envconfig:"STORE_PROGRESS_TIMEOUT" default:"15s" desc:"maximum time without progress in a transfer"`
	Bucket    string        `envconfig:"MINIO_BUCKET" default:"imageflow-files" desc:"bucket of requests that name none"`
	Condition bool          `envconfig:"STORE_CONDITIONAL_WRITES" default:"true" desc:"whether the store has conditional writes"`
}

func (c Store) validate() error {
	return errors.Join(
		required("MINIO_ENDPOINT", c.Endpoint),
		required("MINIO_ACCESS_KEY", c.AccessKey),
		required("MINIO_SECRET_KEY", c.SecretKey), atLeast("STORE_PROGRESS_TIMEOUT", c.Progress, time.Millisecond),
	)
}

// open returns a client. The tags of objects are in tagBucket, or in the store's own tags if it is empty.
func (c Store) open(tagBucket string) (*objects.Store, error) {
	return objects.New(objects.Config{
		Endpoint: c.Endpoint, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Secure: c.Secure, Region: c.Region,
		ProgressTimeout: c.Progress, TagBucket: tagBucket, PlainWrites: !c.Condition,
	})
}

// Work limits the jobs of a processor. Jobs beyond QUEUE_LENGTH, and calls whose expected
// wait exceeds QUEUE_TIME, are refused as Busy. An image that needs more than
// MAX_DECODED_BYTES is refused.
type Work struct {
	ReadFrom     []string      `envconfig:"READ_FROM" desc:"buckets, or bucket/prefix, of permitted inputs; empty or *: all"`
	WriteTo      []string      `envconfig:"WRITE_TO" desc:"buckets, or bucket/prefix, of permitted outputs; empty or *: all"`
	Queue        int64         `envconfig:"QUEUE_LENGTH" default:"64" desc:"maximum number of waiting jobs"`
	QueueTime    time.Duration `envconfig:"QUEUE_TIME" default:"0" desc:"maximum expected wait of a call; 0: its deadline"`
	JobTimeout   time.Duration `envconfig:"JOB_TIMEOUT" default:"2m" desc:"time limit of a job after its wait"`
	Active       int64         `envconfig:"MAX_ACTIVE_JOBS" default:"0" desc:"maximum number of active jobs; 0: 4 per core"`
	DecodedBytes int64         `envconfig:"MAX_DECODED_BYTES" default:"805306368" desc:"memory of all jobs for decoded images"`
	ObjectBytes  int64         `envconfig:"MAX_OBJECT_BYTES" default:"67108864" desc:"maximum size of an encoded image in bytes"`
	Side         int           `envconfig:"MAX_IMAGE_SIDE" default:"16383" desc:"maximum width or height of an image in pixels"`
	Strict       bool          `envconfig:"STRICT_INPUT" default:"false" desc:"refuse damaged files that could be repaired"`
	Pixels       int64         `envconfig:"MAX_IMAGE_PIXELS" default:"80000000" desc:"maximum width x height of an image"`
	Frames       int           `envconfig:"MAX_ANIMATION_FRAMES" default:"1000" desc:"maximum number of frames of an animation"`
	AllPixels    int64         `envconfig:"MAX_ANIMATION_PIXELS" default:"160000000" desc:"maximum number of pixels of its frames"`
}

func (c Work) validate() error {
	return errors.Join(
		atLeast("QUEUE_LENGTH", c.Queue, 0), atLeast("QUEUE_TIME", c.QueueTime, 0),
		atLeast("JOB_TIMEOUT", c.JobTimeout, time.Second), atLeast("MAX_ACTIVE_JOBS", c.Active, 0),
		atLeast("MAX_DECODED_BYTES", c.DecodedBytes, 1), atLeast("MAX_OBJECT_BYTES", c.ObjectBytes, 1),
		atLeast("MAX_IMAGE_SIDE", c.Side, 1), atLeast("MAX_IMAGE_PIXELS", c.Pixels, 1),
		atLeast("MAX_ANIMATION_FRAMES", c.Frames, 1), atLeast("MAX_ANIMATION_PIXELS", c.AllPixels, 1),
	)
}

// cores are the cores of the process. All processors of a process share them.
var cores = sync.OnceValue(func() *job.Cores { return job.NewCores(int64(runtime.GOMAXPROCS(0))) })

func (c Work) admission() *job.Admission {
	active := c.Active
	if active == 0 {
		active = 4 * int64(runtime.GOMAXPROCS(0))
	}
	return job.NewAdmission(job.AdmissionLimits{
		Queue: c.Queue, QueueTime: c.QueueTime, Active: active, DecodedBytes: c.DecodedBytes, Shared: cores(),
	})
}

// ProcessorConfig is the environment of a processor.
type ProcessorConfig struct {
	Server
	Store
	Work
	Signing
	OIDC
	PresetsFile
}

// Processor returns the part of the config that all processors have in common.
func (c *ProcessorConfig) Processor() *ProcessorConfig { return c }

// Validate reports every variable that is missing or out of range.
func (c *ProcessorConfig) Validate() error {
	return errors.Join(c.Server.validate(), c.Store.validate(), c.Work.validate(), c.Signing.validate(), c.OIDC.validate(),
		c.PresetsFile.validate())
}

// GatewayConfig is the environment of the gateway.
type GatewayConfig struct {
	Server
	// Store is optional: without an endpoint the gateway looks up no executions and
	// reads no images for inline answers, and its other variables are not used.
	Store
	DeadLetterBucket
	PresetsFile
	// Signing is optional: without a key, the gateway takes no events, and does not use OIDC.
	Signing
	OIDC
	Images
	// Manifests returns the files with the Triggers; nil means those of TRIGGERS_PATH.
	Manifests func() ([]triggers.File, error) `ignored:"true"`
	// Pages is the console, if the gateway's port serves it, too.
	Pages *console.Console `ignored:"true"`

	ReadFrom  []string      `envconfig:"READ_FROM" desc:"buckets, or bucket/prefix, to look up; empty or *: all"`
	Token     string        `envconfig:"GATEWAY_TOKEN" desc:"bearer token of callers; empty: none is needed"`
	Domain    string        `envconfig:"PROCESSOR_DOMAIN" desc:"DNS domain of the processors' Services"`
	Endpoints Endpoints     `ignored:"true"`
	Triggers  []string      `envconfig:"TRIGGERS_PATH" desc:"files or folders with the Triggers in force; empty: no ListChains"`
	Origins   []string      `envconfig:"CORS_ALLOW_ORIGINS" desc:"origins of web pages that may call, comma-separated"`
	Timeout   time.Duration `envconfig:"REQUEST_TIMEOUT" default:"60s" desc:"time limit of a request"`
	BodyBytes int64         `envconfig:"MAX_BODY_BYTES" default:"100663296" desc:"maximum size of a request body in bytes"`
	Watches   int           `envconfig:"MAX_WATCHES" default:"256" desc:"maximum number of watches of executions"`
}

// Validate reports every variable that is missing or out of range.
func (c *GatewayConfig) Validate() error {
	var store error
	if c.Endpoint != "" {
		store = errors.Join(c.Store.validate(), required("DEAD_LETTER_BUCKET", c.DeadLetters))
	}
	var signing error
	if c.takesEvents() {
		signing = errors.Join(c.Signing.validate(), c.OIDC.validate())
	}
	return errors.Join(store, signing,
		c.Server.validate(), c.PresetsFile.validate(), bearer("GATEWAY_TOKEN", c.Token), c.validateImages(),
		atLeast("REQUEST_TIMEOUT", c.Timeout, 1), atLeast("MAX_BODY_BYTES", c.BodyBytes, 1),
		atLeast("MAX_WATCHES", c.Watches, 0),
		origins("CORS_ALLOW_ORIGINS", c.Origins),
	)
}

// takesEvents reports whether the gateway runs pipelines for events.
func (c *GatewayConfig) takesEvents() bool { return len(c.Keys) > 0 || c.AllowUnsigned }

// origins checks that each origin has the form that browsers send: scheme and host.
func origins(name string, values []string) error {
	for _, value := range values {
		if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != value {
			return fmt.Errorf("%s has %q but must have origins such as https://app.example", name, value)
		}
	}
	return nil
}

func required(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s must be set", name)
	}
	return nil
}

// bearer returns an error for a bearer token that is not safe; an empty one is another check's.
func bearer(name, token string) error {
	if token == "" {
		return nil
	}
	if err := gateway.CheckToken(token); err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	return nil
}

// atLeast returns an error if a number or a duration is below its minimum.
func atLeast(name string, value, minimum any) error {
	v, m := number(value), number(minimum)
	if v >= m {
		return nil
	}
	if _, ok := value.(time.Duration); ok {
		minimum = time.Duration(m)
	}
	return fmt.Errorf("%s is %v but must be at least %v", name, value, minimum)
}

func number(v any) float64 {
	if r := reflect.ValueOf(v); r.CanInt() {
		return float64(r.Int())
	}
	return reflect.ValueOf(v).Float()
}

// StoreConfig is the environment of commands that only use the object store.
type StoreConfig struct{ Store }

// Validate reports every variable that is missing or out of range.
func (c *StoreConfig) Validate() error { return c.validate() }

// Open returns a client of the store.
func (c *StoreConfig) Open() (*objects.Store, error) { return c.open("") }
