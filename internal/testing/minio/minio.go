// Package minio runs a real MinIO at a loopback address for tests. The binary is
// the one that $MINIO_BINARY names; `make test` builds it.
package minio

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"imageflow.dev/internal/testing/freeport"
)

// The account of every server.
const (
	AccessKey = "minio-test"
	SecretKey = "minio-test-secret"
)

// Server is a MinIO with its data in a folder of its own.
type Server struct {
	// Address is host:port, the same after a restart.
	Address string

	log string
	env []string
	dir string
	cmd *exec.Cmd
}

// Start starts a server with these settings (NAME=value) and returns when it
// answers. It ends with the test, and its data with it.
func Start(t testing.TB, env ...string) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs MinIO: make test")
	}
	s := &Server{Address: freeport.Address(), env: env, dir: t.TempDir(), log: filepath.Join(t.TempDir(), "minio.log")}
	t.Cleanup(func() {
		s.Kill()
		if text, err := os.ReadFile(s.log); err == nil && t.Failed() {
			t.Logf("MinIO's output:\n%s", text)
		}
	})
	s.Restart(t)
	return s
}

// PID returns the id of the running process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the server as a crash would.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Restart starts a server that was killed, with the data it had.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	binary := os.Getenv("MINIO_BINARY")
	if binary == "" {
		t.Fatal("MINIO_BINARY names no MinIO; make test builds one and sets the variable")
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(binary, "server", s.dir, "--address", s.Address, "--console-address", "127.0.0.1:0", "--quiet")
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+AccessKey, "MINIO_ROOT_PASSWORD="+SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "CI=true")
	cmd.Env = append(cmd.Env, s.env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd = cmd
	s.waitReady(t)
}

// waitReady waits until the server answers requests for buckets. It reports that it is ready before that.
func (s *Server) waitReady(t testing.TB) {
	t.Helper()
	client, err := minio.New(s.Address, &minio.Options{Creds: credentials.NewStaticV4(AccessKey, SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err = client.ListBuckets(t.Context()); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("MinIO does not get ready: %v", err)
		}
	}
}
