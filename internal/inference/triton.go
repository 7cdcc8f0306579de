package inference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	kserve "imageflow.dev/proto/inference"
)

const (
	// maxResponse bounds what a run may give; YOLOv5 at 640 pixels gives 8.6 MB.
	maxResponse = 64 << 20
	// fresh is how old a description may be when a model is asked for.
	fresh = 5 * time.Second
)

// retries has calls that the server did not answer tried again: over what is
// over in a moment, such as a connection that ended. A run may be done twice
// without harm.
const retries = `{"methodConfig": [{
	"name": [{"service": "inference.GRPCInferenceService"}],
	"retryPolicy": {
		"maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 3,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}
}]}`

// Triton is the models of a server that speaks the Open Inference Protocol.
// Models come, change and go there; each is described when it is first asked
// for, and again when it is found to have changed.
type Triton struct {
	address string
	timeout time.Duration
	fresh   time.Duration
	prepare Prepare
	conn    *grpc.ClientConn
	client  kserve.GRPCInferenceServiceClient

	mutex sync.Mutex
	known map[string]learned
}

// learned is what the server said of a model, the model made of that or why it is
// refused, and when the server was asked.
type learned struct {
	raw     *tritonModel
	model   Model
	refused *RefusedError
	asked   time.Time
}

// Dial returns the models of the server at host:port, prepared where prepare is
// not nil. It does not connect yet, so that the server may come later. Every call
// ends after the timeout, if its context does not end it before. More options are
// of the connection.
func Dial(address string, timeout time.Duration, prepare Prepare, more ...grpc.DialOption) (*Triton, error) {
	if prepare == nil {
		prepare = asItIs
	}
	connect := grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 5 * time.Second}
	connect.Backoff.BaseDelay, connect.Backoff.MaxDelay = 100*time.Millisecond, 2*time.Second
	conn, err := grpc.NewClient(address, append(more,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(retries),
		grpc.WithConnectParams(connect),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponse), grpc.MaxRetryRPCBufferSize(maxResponse)),
	)...)
	if err != nil {
		return nil, fmt.Errorf("Triton at %s: %w", address, err)
	}
	return &Triton{
		address: address, timeout: timeout, fresh: fresh, prepare: prepare, conn: conn,
		client: kserve.NewGRPCInferenceServiceClient(conn), known: map[string]learned{},
	}, nil
}

// Close ends the connection.
func (t *Triton) Close() error { return t.conn.Close() }

// Ready fails with ErrUnavailable while the server does not take work.
func (t *Triton) Ready(ctx context.Context) error {
	answer, err := call(ctx, t, t.client.ServerReady, &kserve.ServerReadyRequest{})
	if err == nil && !answer.GetReady() {
		err = fmt.Errorf("it is not ready: %w", ErrUnavailable)
	}
	return err
}

// Model returns the version of a model that the server chooses by its policy. It
// asks the server where it was not asked a short time ago.
func (t *Triton) Model(ctx context.Context, name string) (Model, error) {
	k, ok := t.recent(name)
	start := time.Now()
	if !ok {
		raw, err := t.learn(ctx, name)
		if err == nil {
			k, err = t.adopt(ctx, raw)
		}
		if err != nil {
			t.doubt(name)
			if err = t.settle(ctx, name, err); errors.Is(err, ErrUnavailable) {
				measure(ctx, backendTriton, unknown, start, err)
			}
			return nil, fmt.Errorf("model %q at Triton: %w", name, err)
		}
	}
	if k.refused != nil {
		return nil, k.refused
	}
	return k.model, nil
}

// recent returns what was learned of a model, if that need not be asked for
// again. While one call asks again, the others go on with it.
func (t *Triton) recent(name string) (learned, bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	k, ok := t.known[name]
	if ok && time.Since(k.asked) > t.fresh {
		again := k
		again.asked = time.Now()
		t.known[name] = again
		return k, false
	}
	return k, ok
}

// adopt makes a model of what the server said of it, or finds the one made of the
// same before.
func (t *Triton) adopt(ctx context.Context, raw *tritonModel) (learned, error) {
	name := raw.info.Name
	t.mutex.Lock()
	k, ok := t.known[name]
	t.mutex.Unlock()
	if !ok || !reflect.DeepEqual(k.raw.info, raw.info) {
		k = learned{raw: raw}
		var err error
		if k.model, err = t.prepare(ctx, raw); ctx.Err() != nil || errors.Is(err, ErrUnavailable) {
			return k, err
		} else if err != nil {
			k.refused = &RefusedError{Name: name, Reason: err.Error()}
		}
	}
	k.asked = time.Now()
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.known[name] = k
	return k, nil
}

// doubt has the next call ask for a model again.
func (t *Triton) doubt(name string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if k, ok := t.known[name]; ok {
		k.asked = time.Time{}
		t.known[name] = k
	}
}

// forget has every call ask for a model again, if it is still this one.
func (t *Triton) forget(m *tritonModel) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.known[m.info.Name].raw == m {
		delete(t.known, m.info.Name)
	}
}

// learn asks the server what a model is.
func (t *Triton) learn(ctx context.Context, name string) (*tritonModel, error) {
	about, err := call(ctx, t, t.client.ModelMetadata, &kserve.ModelMetadataRequest{Name: name})
	if err != nil {
		return nil, err
	}
	config, err := call(ctx, t, t.client.ModelConfig, &kserve.ModelConfigRequest{Name: name})
	if err != nil && status.Code(err) != codes.Unimplemented { // it is Triton's own
		return nil, err
	}
	m := &tritonModel{triton: t, info: Info{Name: name, Version: highest(about.GetVersions()), Backend: "triton", Metadata: map[string]string{}}}
	m.info.configure(config.GetConfig())
	if in := about.GetInputs(); len(in) != 1 || in[0].GetDatatype() != float32Type {
		return nil, fmt.Errorf("it must have one input of FP32, not %v", in)
	}
	m.info.InputName, m.info.Input = about.Inputs[0].GetName(), about.Inputs[0].GetShape()
	if len(about.GetOutputs()) == 0 {
		return nil, errors.New("it has no output")
	}
	for _, out := range about.GetOutputs() {
		if out.GetDatatype() != float32Type {
			return nil, fmt.Errorf("its outputs must be of FP32, not %v", out)
		}
		m.info.OutputNames = append(m.info.OutputNames, out.GetName())
		m.info.Outputs = append(m.info.Outputs, out.GetShape())
	}
	return m, nil
}

// highest returns the version that a server chooses of those it has ready.
func highest(versions []string) string {
	if len(versions) == 0 {
		return ""
	}
	return slices.MaxFunc(versions, byNumber)
}

// byNumber compares names of versions.
func byNumber(a, b string) int {
	m, _ := strconv.Atoi(a)
	n, _ := strconv.Atoi(b)
	return cmp.Compare(m, n)
}
