// Package s3server is an S3 server for one machine: versitygw in this process,
// objects as plain files in a folder, and the bucket notifications of MinIO,
// which versitygw lacks.
package s3server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

// Config of a server.
type Config struct {
	// Address is host:port; port 0 takes a free one.
	Address string
	// Dir holds the data: buckets/ with the objects as files of their names,
	// and attributes/ with what is known of them where the file system cannot
	// keep it with the file.
	Dir string
	// AccessKey and SecretKey are of the one account, which may do everything.
	AccessKey, SecretKey string
	// Buckets are made at the start where they are missing.
	Buckets []string
	// Notify is told of new objects.
	Notify Notify
	// Allow reports whether a signed request may go on; without it all may.
	Allow func(*http.Request) bool
	// Logger gets what goes wrong; slog's default when nil.
	Logger *slog.Logger
}

// Server is a running server.
type Server struct {
	address string
	dir     string
	posts   *posts
	cancel  context.CancelFunc
	ended   chan error
}

// running holds the place of the one gateway that versitygw allows in a
// process: it has state of its own there, the working directory among it.
var running = make(chan struct{}, 1)

// Start starts a server and returns when it answers, or fails. It waits for an
// earlier server of the process to be gone, as long as the context allows.
//
// It changes the working directory of the process to Dir/buckets, which
// versitygw's files are relative to, and leaves it there: make every other path
// absolute before.
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

// start serves the files, and leaves the process's place to run.
func start(ctx context.Context, c Config, address, dir string, files backend.Backend) (*Server, error) {
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{address: address, dir: dir, cancel: cancel, ended: make(chan error, 1), posts: newPosts(serving, c.Notify, c.Logger)}
	listening := make(chan struct{})
	go s.run(serving, &notifying{Backend: guarded{steady{files}, c.Allow}, posts: s.posts, address: address, account: c.AccessKey}, c, listening)
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

// run serves until the context ends.
func (s *Server) run(ctx context.Context, files backend.Backend, c Config, listening chan struct{}) {
	err := embedgw.RunVersityGW(ctx, files, &embedgw.Config{
		RootUserAccess: c.AccessKey, RootUserSecret: c.SecretKey,
		// Given by us, since versitygw prints that it takes this one.
		IAMService: auth.NewIAMServiceSingle(auth.Account{Access: c.AccessKey, Secret: c.SecretKey, Role: auth.RoleAdmin}),
		Ports:      []string{s.address}, Quiet: true, KeepAlive: true,
		MaxConnections: 4096, MaxRequests: 1024, MultipartMaxParts: 10000,
		S3Options: []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
	})
	s.cancel()
	s.posts.wait()
	<-running
	s.ended <- err
}

// freeAddress returns the address with a port. versitygw would find a taken one
// too, but say so less clearly.
func freeAddress(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("the S3 server cannot listen at %s: %w", address, err)
	}
	return l.Addr().String(), l.Close()
}

// Address returns the host:port that is served.
func (s *Server) Address() string { return s.address }

// Ended gets the server's error when it ends by itself, and nil when it was
// closed.
func (s *Server) Ended() <-chan error { return s.ended }

// Path returns the folder of a bucket's objects.
func (s *Server) Path(bucket string) string { return filepath.Join(s.dir, bucketsDir, bucket) }

// closePatience is how long Close waits for what is in flight.
const closePatience = time.Second

// Close ends the server: it listens no more, and what is in flight has a second
// to end. versitygw itself would wait ten seconds for a connection on which a
// client never asked anything; it goes on doing so in the background.
func (s *Server) Close() error {
	s.cancel()
	select {
	case err := <-s.ended:
		s.ended <- err // for Ended and a second Close
		return err
	case <-time.After(closePatience):
		return nil
	}
}
