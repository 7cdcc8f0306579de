// Package triton serves models over Triton's protocol, for tests. If TRITON_HOME is
// the folder of `make triton`, it runs Triton itself. Otherwise it runs a stand-in
// that speaks the protocol and runs the models with ONNX Runtime.
package triton

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"imageflow.dev/internal/testing/onnx"
	kserve "imageflow.dev/proto/inference"
)

// startTimeout bounds the wait until a server is ready.
const startTimeout = time.Minute

// Server serves a repository. Its address stays the same when it restarts.
type Server struct {
	Address    string
	t          testing.TB
	repository string
	bad        []string // models that cannot be loaded
	stop       func()   // nil while it is stopped
}

// New returns a server for a repository, and stops it at the end of the test. Every
// model needs a config.pbtxt. The models in bad cannot be loaded, so Start does not
// wait for them.
func New(t testing.TB, repository string, bad ...string) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := &Server{Address: listener.Addr().String(), t: t, repository: repository, bad: bad}
	t.Cleanup(s.Stop)
	return s
}

// Start starts the server and waits until it and its models are ready.
func (s *Server) Start() {
	s.t.Helper()
	start := startStandIn
	if home := os.Getenv("TRITON_HOME"); home != "" {
		start = func(address, repository string) (func(), error) { return startBinary(s.t, home, address, repository) }
	}
	stop, err := start(s.Address, s.repository)
	if err != nil {
		s.t.Fatal(err)
	}
	s.stop = stop
	if err := s.wait(); err != nil {
		s.t.Fatal(err)
	}
}

// Stop stops the server at once and breaks its calls.
func (s *Server) Stop() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func (s *Server) wait() error {
	conn, err := grpc.NewClient(s.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := kserve.NewGRPCInferenceServiceClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if _, err := client.ServerLive(ctx, &kserve.ServerLiveRequest{}, grpc.WaitForReady(true)); err != nil {
		return fmt.Errorf("starting Triton: %w", err)
	}
	models, err := filepath.Glob(filepath.Join(s.repository, "*", "config.pbtxt"))
	if err != nil {
		return err
	}
	for _, file := range models {
		name := filepath.Base(filepath.Dir(file))
		for !slices.Contains(s.bad, name) {
			resp, err := client.ModelReady(ctx, &kserve.ModelReadyRequest{Name: name})
			if err == nil && resp.GetReady() {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("model %s was not loaded by Triton: %w", name, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// Save writes a version of a model to a repository, and its config.pbtxt, which has
// the metadata as parameters.
func Save(t testing.TB, m onnx.Model, repository, name, version string) {
	t.Helper()
	if err := m.Save(repository, name, version, "model.onnx"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repository, name, "config.pbtxt"), []byte(config(name, m)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// types are the names of element types in config.pbtxt.
var types = map[uint64]string{
	0: "TYPE_FP32", onnx.Float32: "TYPE_FP32", onnx.Float16: "TYPE_FP16", onnx.Int64: "TYPE_INT64", onnx.Uint8: "TYPE_UINT8",
}

func config(name string, m onnx.Model) string {
	var b strings.Builder
	dims := func(shape []int64) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ", ") }
	fmt.Fprintf(&b, "name: %q\nbackend: \"onnxruntime\"\n", name)
	for _, in := range append([]onnx.Value{{Name: "input", Type: m.InputType, Shape: m.Input}}, m.MoreInputs...) {
		fmt.Fprintf(&b, "input { name: %q data_type: %s dims: %s }\n", in.Name, types[in.Type], dims(in.Shape))
	}
	fmt.Fprintf(&b, "output [ { name: \"output\" data_type: TYPE_FP32 dims: %s } ]\n", dims(m.Output))
	for key, value := range m.Metadata {
		fmt.Fprintf(&b, "parameters { key: %q value { string_value: %q } }\n", key, value)
	}
	return b.String()
}
