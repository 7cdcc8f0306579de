// Package s3server is an S3 server for one machine. It runs versitygw in the process,
// stores objects as plain files in a folder, and adds bucket notifications in MinIO's
// format.
package s3server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/controllers"
	"github.com/versity/versitygw/s3api/middlewares"
)

// Config configures a Server.
type Config struct {
	// Address is host:port. Port 0 selects a free port.
	Address string
	// Dir is the data folder. buckets/ has the objects as files named by their keys.
	// attributes/ has their metadata and tags if the file system does not support
	// extended attributes.
	Dir string
	// AccessKey and SecretKey are the credentials of the only account, which has all
	// permissions.
	AccessKey, SecretKey string
	// Buckets are created at the start if they do not exist.
	Buckets []string
	// Notify is the webhook that is notified of new objects.
	Notify Notify
	// Allow reports whether a correctly signed request is permitted. nil permits all.
	Allow func(*http.Request) bool
	// Logger logs failed notifications. nil means slog.Default.
	Logger *slog.Logger
}

// Server is a running server.
type Server struct {
	address string
	dir     string
	webhook *webhook
	cancel  context.CancelFunc
	ended   chan error
}

// running is the slot of the only server that a process can run: versitygw has global
// state, including the working directory.
var running = make(chan struct{}, 1)

// Start starts a server and returns when it accepts requests. If another server runs
// in the process, Start waits for its end until ctx is done.
//
// Start changes the working directory of the process to Dir/buckets, because
// versitygw's file names are relative to it. Make all other paths absolute before.
func Start(ctx context.Context, c Config) (*Server, error) {
	select {
	case running <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("another S3 server runs in this process: %w", ctx.Err())
	}
	address, err := freeAddress(c.Address)
	if err != nil {
		<-running
		return nil, err
	}
	files, dir, err := openFiles(c.Dir, c.Buckets)
	if err != nil {
		<-running
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return start(ctx, c, address, dir, files)
}

// start serves the files. From here on, run releases the slot of the process.
func start(ctx context.Context, c Config, address, dir string, files *posix.Posix) (*Server, error) {
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{
		address: address, dir: dir, cancel: cancel, ended: make(chan error, 1), webhook: newWebhook(serving, c.Notify, c.Logger),
	}
	listening := make(chan struct{})
	go s.run(serving, &notifying{
		Backend: named{unversioned{authorized{consistent{files, files}, c.Allow}}},
		webhook: s.webhook, address: address, account: c.AccessKey,
	}, c, listening)
	select {
	case <-listening:
		return s, nil
	case err := <-s.ended:
		return nil, fmt.Errorf("the S3 server at %s: %w", address, err)
	case <-ctx.Done():
		cancel()
		return nil, fmt.Errorf("the S3 server at %s: %w", address, ctx.Err())
	}
}

const (
	maxConnections = 4096
	maxRequests    = 1024
	maxParts       = 10000 // of a multipart upload
)

// run serves until ctx is done. It closes listening when the server accepts requests.
func (s *Server) run(ctx context.Context, files backend.Backend, c Config, listening chan struct{}) {
	// Set explicitly: versitygw prints a message when it chooses this default.
	iam := auth.NewIAMServiceSingle(auth.Account{Access: c.AccessKey, Secret: c.SecretKey, Role: auth.RoleAdmin})
	locations := s3api.WithMiddleware("/", anyLocation(
		controllers.New(files, iam, nil, nil, nil, false, false, "", maxParts).CreateBucket))
	others := &regions{handlers: map[string]fasthttp.RequestHandler{}, open: func(region string) (*s3api.S3ApiServer, error) {
		root := middlewares.RootUserConfig{Access: c.AccessKey, Secret: c.SecretKey}
		return s3api.New(files, root, region, iam, nil, nil, nil, nil, s3api.WithQuiet(),
			s3api.WithConcurrencyLimiter(maxConnections, maxRequests), s3api.WithMpMaxParts(maxParts), locations)
	}}
	err := embedgw.RunVersityGW(ctx, files, &embedgw.Config{
		RootUserAccess: c.AccessKey, RootUserSecret: c.SecretKey, IAMService: iam, Region: homeRegion,
		Ports: []string{s.address}, Quiet: true, KeepAlive: true,
		MaxConnections: maxConnections, MaxRequests: maxRequests, MultipartMaxParts: maxParts,
		S3Options: []s3api.Option{
			s3api.WithOnListen(func() { close(listening) }), s3api.WithMiddleware("/", requireV4),
			s3api.WithMiddleware("/", requireKey), s3api.WithMiddleware("/", requireFile), s3api.WithMiddleware("/", others.serve),
			locations,
		},
	})
	s.cancel()
	s.webhook.wait()
	<-running
	s.ended <- err
}

// freeAddress returns the address with a free port. It exists for its error: versitygw's
// own error about an address in use is unclear.
func freeAddress(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("the S3 server cannot listen at %s: %w", address, err)
	}
	return l.Addr().String(), l.Close()
}

// Address returns the host:port that the server listens on.
func (s *Server) Address() string { return s.address }

// Ended receives the server's error when it ends by itself, or nil after Close.
func (s *Server) Ended() <-chan error { return s.ended }

// Path returns the folder that has a bucket's objects.
func (s *Server) Path(bucket string) string { return filepath.Join(s.dir, bucketsDir, bucket) }

// closeTimeout is how long Close waits for requests in flight.
const closeTimeout = time.Second

// Close stops the server. Requests in flight have closeTimeout to end. versitygw waits
// ten seconds for idle connections; it continues to do so in the background.
func (s *Server) Close() error {
	s.cancel()
	select {
	case err := <-s.ended:
		s.ended <- err // Ended and a second Close receive it again
		return err
	case <-time.After(closeTimeout):
		return nil
	}
}
