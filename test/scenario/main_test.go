// Package scenario tests what users of ImageFlow do, over the wire only: the tests import none of
// its packages, except for the contract's in measurements.
package scenario

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"imageflow.dev/internal/testing/freeport"
)

const (
	bucket    = "imageflow-files"
	accessKey = "imageflow"
	secretKey = "imageflow-local"
)

// binaries is the folder of the two commands, built for these tests.
var binaries string

var detectRaces = flag.Bool("races", true, "build the commands with the race detector, which makes them several times slower")

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if url := os.Getenv(callerURL); url != "" {
			if err := call(url); err != nil {
				fmt.Println(err)
				return 1
			}
			return 0
		}
		dir, err := os.MkdirTemp("", "imageflow-scenario-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binaries = dir
		flag.Parse()
		build := exec.Command("go", "build", fmt.Sprintf("-race=%v", *detectRaces), "-o", dir+"/", "./cmd/imageflow",
			"./cmd/imageflow-local")
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Printf("%s%v\n", out, err)
			return 1
		}
		return m.Run()
	}())
}

// process is a running command.
type process struct {
	cmd    *exec.Cmd
	exited chan error
	output *transcript
}

// transcript is the output of a process.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *transcript) add(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.WriteString(line + "\n")
}

// String returns the text.
func (p *transcript) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// launch starts a command and waits until it prints ready.
func launch(t testing.TB, ready string, env []string, name string, args ...string) *process {
	t.Helper()
	return launchCommand(t, ready, env, exec.Command(filepath.Join(binaries, name), args...))
}

// launchCommand is launch for a prepared command.
func launchCommand(t testing.TB, ready string, env []string, cmd *exec.Cmd) *process {
	t.Helper()
	name := filepath.Base(cmd.Path)
	p := &process{cmd: cmd, exited: make(chan error, 1), output: &transcript{}}
	p.cmd.Dir = filepath.Join("..", "..")
	p.cmd.Env = append(append(os.Environ(), "EVENT_SIGNING_KEYS="+signingKey), env...)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	started := make(chan bool, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.output.add(lines.Text())
			if strings.Contains(lines.Text(), ready) {
				select {
				case started <- true:
				default: // already reported
				}
			}
		}
		p.exited <- p.cmd.Wait()
		close(started)
	}()
	t.Cleanup(func() { p.kill(t) })
	select {
	case ok := <-started:
		if !ok {
			t.Fatalf("%s ended at its start:\n%s", name, p.output)
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("%s did not get ready", name)
	}
	return p
}

// stop sends SIGTERM to the process and returns the error of its end.
func (p *process) stop(t testing.TB) error {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	select {
	case err := <-p.exited:
		p.exited <- err
		return err
	case <-time.After(40 * time.Second):
		return errors.New("did not end")
	}
}

func (p *process) kill(t testing.TB) {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	err := <-p.exited
	p.exited <- err
	if strings.Contains(p.output.String(), "DATA RACE") || t.Failed() {
		t.Errorf("output of %s:\n%s", filepath.Base(p.cmd.Path), p.output)
	}
}

// system is a running ImageFlow and its addresses.
type system struct {
	*process
	restart   func()            // starts it again after its end
	addresses map[string]string // host:port by part
	data      string            // folder of local mode
	s3        *minio.Client
}

var parts = []string{"s3", "gateway", "resize", "detect", "filter", "bridge", "broker", "notify", "metrics"}

// setup has the settings of a system. Its zero value means the defaults.
type setup struct {
	dir        string // of the data; of the test's own when empty
	env, flags []string
	forgetful  bool   // the store drops undelivered notifications
	store      *store // in place of a MinIO with everything
}

// local starts the whole system in one process. On a cluster, it returns the deployed system, which
// has the default settings.
func local(t testing.TB, c setup) *system {
	t.Helper()
	if *onCluster {
		if c.dir != "" || c.env != nil || c.flags != nil {
			t.Fatal("this test needs a system of its own")
		}
		return cluster(t)
	}
	if c.dir == "" {
		c.dir = t.TempDir()
	}
	s := &system{addresses: map[string]string{}, data: c.dir}
	args := append([]string{"--data", c.dir}, c.flags...)
	for _, part := range parts {
		s.addresses[part] = freeport.Address()
		_, port, _ := net.SplitHostPort(s.addresses[part])
		args = append(args, "--"+part+"-port", port)
	}
	s.restart = func() { s.process = launch(t, "ImageFlow is running", c.env, "imageflow-local", args...) }
	s.restart()
	s.s3 = client(t, s.addresses["s3"], accessKey, secretKey)
	return s
}

func client(t testing.TB, address, accessKey, secretKey string) *minio.Client {
	t.Helper()
	c, err := minio.New(address, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// url returns the URL of a path at a part.
func (s *system) url(part, path string) string { return "http://" + s.addresses[part] + path }

// eventually waits until ok, at most for a minute.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	within(t, time.Minute, what, ok)
}

// within is eventually with another limit.
func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// exists reports whether the object exists.
func (s *system) exists(key string) bool {
	_, err := s.s3.StatObject(context.Background(), bucket, key, minio.StatObjectOptions{})
	return err == nil
}

// h2c is a client that speaks HTTP/2 without TLS by prior knowledge.
var h2c = func() *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: &protocols}}
}()
