package role

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"time"

	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/server"
)

// Server is what every role reads from the environment.
type Server struct {
	Telemetry
	Host         string        `desc:"address to listen on; empty means all"`
	Port         int           `default:"8080" desc:"port of every door; 0 takes a free one"`
	DrainDelay   time.Duration `split_words:"true" default:"1s" desc:"how long work is still taken after NOT_SERVING was announced"`
	DrainTimeout time.Duration `split_words:"true" default:"30s" desc:"how long work in flight may take to finish"`
	MaxConns     int           `envconfig:"MAX_CONNECTIONS" default:"512" desc:"how many connections are open, and how many requests in flight; one too many takes the place of one that is idle, or is refused as busy"`
	MinRate      int64         `envconfig:"MIN_BODY_RATE" default:"32768" desc:"bytes a second that a caller must send of a request and read of its answer; one that is slower, or silent for 10s, is cut off; a stream may rest between messages"`
	MaxAge       time.Duration `envconfig:"MAX_CONNECTION_AGE" default:"5m" desc:"when a connection is ended, so that callers spread; 0 is never"`
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

// serve is the config of a role's port, with a budget of bodyBytes. One body more
// may be in memory.
func (c Server) serve(role string, bodyBytes int64) server.Config {
	return server.Config{
		Role:      role,
		Address:   net.JoinHostPort(c.Host, strconv.Itoa(c.Port)),
		BodyBytes: bodyBytes, MinBodyRate: c.MinRate, MaxConnections: c.MaxConns, DrainDelay: c.DrainDelay, DrainTimeout: c.DrainTimeout, MaxConnectionAge: c.MaxAge,
		Guard: c.Guard,
	}
}

// Store says where the objects lie.
type Store struct {
	Endpoint  string        `envconfig:"MINIO_ENDPOINT" desc:"host:port of the object store"`
	AccessKey string        `envconfig:"MINIO_ACCESS_KEY" desc:"access key of the object store"`
	SecretKey string        `envconfig:"MINIO_SECRET_KEY" desc:"secret key of the object store"`
	Secure    bool          `envconfig:"MINIO_SECURE" default:"false" desc:"whether the object store speaks TLS"`
	Region    string        `envconfig:"MINIO_REGION" default:"us-east-1" desc:"region of the object store"`
	Progress  time.Duration `envconfig:"STORE_PROGRESS_TIMEOUT" default:"15s" desc:"how long a transfer from or to the object store may stand still before it fails as unavailable"`
	Bucket    string        `envconfig:"MINIO_BUCKET" default:"imageflow-files" desc:"bucket meant where a request names none"`
}

func (c Store) validate() error {
	return errors.Join(
		required("MINIO_ENDPOINT", c.Endpoint),
		required("MINIO_ACCESS_KEY", c.AccessKey),
		required("MINIO_SECRET_KEY", c.SecretKey), atLeast("STORE_PROGRESS_TIMEOUT", c.Progress, time.Millisecond),
	)
}

func (c Store) open() (*objects.Store, error) {
	return objects.New(objects.Config{
		Endpoint: c.Endpoint, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Secure: c.Secure, Region: c.Region,
		ProgressTimeout: c.Progress,
	})
}

// Work limits what a processor takes on, and where.
type Work struct {
	ReadFrom     []string      `envconfig:"READ_FROM" desc:"buckets, or parts of them as bucket/prefix, that pictures may be read from, with commas between; empty or * is all that the store lets us"`
	WriteTo      []string      `envconfig:"WRITE_TO" desc:"the same for the outputs"`
	Queue        int64         `envconfig:"QUEUE_LENGTH" default:"64" desc:"how many jobs that use the store may wait, and how many others; more are rejected as busy"`
	QueueTime    time.Duration `envconfig:"QUEUE_TIME" default:"0" desc:"how long a call may have to wait for its turn; one that would wait longer is refused as busy, events and streams are not; 0 is as long as its deadline allows"`
	JobTimeout   time.Duration `envconfig:"JOB_TIMEOUT" default:"2m" desc:"how long a job may take once it has its turn, where its caller sets no earlier deadline"`
	Active       int64         `envconfig:"MAX_ACTIVE_JOBS" default:"0" desc:"how many jobs that use the store are active at once, and how many others; 0 means 4 for each core"`
	DecodedBytes int64         `envconfig:"MAX_DECODED_BYTES" default:"805306368" desc:"memory that all jobs together may take to decode and encode images; an image that needs more is refused"`
	ObjectBytes  int64         `envconfig:"MAX_OBJECT_BYTES" default:"67108864" desc:"size of an encoded picture"`
	Side         int           `envconfig:"MAX_IMAGE_SIDE" default:"16383" desc:"width or height of a picture in pixels"`
	Strict       bool          `envconfig:"STRICT_INPUT" default:"false" desc:"refuse damaged files whose pixels are all there; else they are repaired, which the result says"`
	Pixels       int64         `envconfig:"MAX_IMAGE_PIXELS" default:"80000000" desc:"width x height of a picture"`
}

func (c Work) validate() error {
	return errors.Join(
		atLeast("QUEUE_LENGTH", c.Queue, 0), atLeast("QUEUE_TIME", c.QueueTime, 0), atLeast("JOB_TIMEOUT", c.JobTimeout, time.Second), atLeast("MAX_ACTIVE_JOBS", c.Active, 0),
		atLeast("MAX_DECODED_BYTES", c.DecodedBytes, 1), atLeast("MAX_OBJECT_BYTES", c.ObjectBytes, 1),
		atLeast("MAX_IMAGE_SIDE", c.Side, 1), atLeast("MAX_IMAGE_PIXELS", c.Pixels, 1),
	)
}

// cores are those of the process, whose processors share them where it has
// several.
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
}

// Processor returns the part of the config that all processors have in common.
func (c *ProcessorConfig) Processor() *ProcessorConfig { return c }

// Validate reports every variable that is missing or out of range.
func (c *ProcessorConfig) Validate() error {
	return errors.Join(c.Server.validate(), c.Store.validate(), c.Work.validate(), c.Signing.validate(), c.OIDC.validate())
}

// GatewayConfig is the environment of the gateway.
type GatewayConfig struct {
	Server
	// Store is where executions are looked up and pictures read that are wanted
	// inline; without an endpoint they are not, and the gateway needs none of
	// its other variables either.
	Store
	DeadLetterBucket
	ReadFrom  []string      `envconfig:"READ_FROM" desc:"buckets, or parts of them as bucket/prefix, that executions are looked up in and pictures read from, with commas between; empty or * is all that the store lets us"`
	Token     string        `envconfig:"GATEWAY_TOKEN" desc:"bearer token that callers must carry; empty asks for none"`
	Domain    string        `envconfig:"PROCESSOR_DOMAIN" desc:"DNS domain of the processors' Services, such as image-processing.svc.cluster.local, for the endpoints that are not set"`
	Endpoints Endpoints     `ignored:"true"`
	Origins   []string      `envconfig:"CORS_ALLOW_ORIGINS" desc:"origins of web pages that may call, such as https://app.example, with commas between; empty allows none"`
	Timeout   time.Duration `envconfig:"REQUEST_TIMEOUT" default:"60s" desc:"how long a request may take"`
	BodyBytes int64         `envconfig:"MAX_BODY_BYTES" default:"100663296" desc:"size of a request's body"`
}

// Validate reports every variable that is missing or out of range.
func (c *GatewayConfig) Validate() error {
	var store error
	if c.Endpoint != "" {
		store = errors.Join(c.Store.validate(), required("DEAD_LETTER_BUCKET", c.DeadLetters))
	}
	return errors.Join(store,
		c.Server.validate(),
		atLeast("REQUEST_TIMEOUT", c.Timeout, 1), atLeast("MAX_BODY_BYTES", c.BodyBytes, 1), origins("CORS_ALLOW_ORIGINS", c.Origins),
	)
}

// origins checks that each is what browsers send: scheme and host alone.
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

func atLeast[T cmp.Ordered](name string, value, least T) error {
	if value < least {
		return fmt.Errorf("%s is %v but must be at least %v", name, value, least)
	}
	return nil
}
