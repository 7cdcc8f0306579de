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
	// maxResponseBytes bounds the outputs of a run. Those of YOLOv5 at 640 pixels
	// have 8.6 MB.
	maxResponseBytes = 64 << 20
	// metadataTTL is the time after which a cached description is fetched again.
	metadataTTL = 5 * time.Second
)

// retries repeats calls that failed as unavailable, for example because the
// connection broke. Runs are idempotent.
const retries = `{"methodConfig": [{
	"name": [{"service": "inference.GRPCInferenceService"}],
	"retryPolicy": {
		"maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 3,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}
}]}`

// Triton is a repository of the models on a server that speaks the Open Inference
// Protocol. The server may add, change and remove models at any time. The
// description of a model is fetched at its first use, and again from time to time
// and after a failed run.
type Triton struct {
	metadataTTL time.Duration
	conn        *grpc.ClientConn
	client      kserve.GRPCInferenceServiceClient

	mutex sync.Mutex
	cache map[versionKey]cacheEntry // an empty version means the one that the server chooses
}

// cacheEntry is a model and the time when the server last confirmed it.
type cacheEntry struct {
	model   *tritonModel
	fetched time.Time
}

// Dial returns the models of the server at host:port. It does not connect yet, so
// the server may start later. The timeout bounds every call in addition to the
// call's context. More options configure the connection.
func Dial(address string, timeout time.Duration, more ...grpc.DialOption) (*Triton, error) {
	connect := grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 5 * time.Second}
	connect.Backoff.BaseDelay, connect.Backoff.MaxDelay = 100*time.Millisecond, 2*time.Second
	conn, err := grpc.NewClient(address, append(more,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(limitCalls(address, timeout)),
		grpc.WithDefaultServiceConfig(retries),
		grpc.WithConnectParams(connect),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes), grpc.MaxRetryRPCBufferSize(maxResponseBytes)),
	)...)
	if err != nil {
		return nil, fmt.Errorf("Triton at %s: %w", address, err)
	}
	client := kserve.NewGRPCInferenceServiceClient(conn)
	return &Triton{metadataTTL: metadataTTL, conn: conn, client: client, cache: map[versionKey]cacheEntry{}}, nil
}

// Close closes the connection.
func (t *Triton) Close() error { return t.conn.Close() }

// Ready returns ErrUnavailable unless the server accepts work.
func (t *Triton) Ready(ctx context.Context) error {
	resp, err := t.client.ServerReady(ctx, &kserve.ServerReadyRequest{})
	if err == nil && !resp.GetReady() {
		err = fmt.Errorf("the server is not ready: %w", ErrUnavailable)
	}
	return err
}

// Model returns the model in this version, or in the one that the server chooses by
// its policy. The description is at most metadataTTL old.
func (t *Triton) Model(ctx context.Context, name, version string) (Model, error) {
	key := versionKey{name, version}
	m, ok := t.lookup(key)
	if ok {
		return m, nil
	}
	start := time.Now()
	m, err := t.fetchMetadata(ctx, key)
	if err != nil {
		t.invalidate(key)
		if err = t.explainNotFound(ctx, key, err); errors.Is(err, ErrUnavailable) {
			recordRun(ctx, backendTriton, unknownModel, start, err)
		}
		return nil, fmt.Errorf("model %.64q at Triton: %w", name, err)
	}
	return t.store(m), nil
}

// lookup returns the cached model, or false if its description must be fetched.
// When an entry expires, one caller fetches it and the others use the old one.
func (t *Triton) lookup(key versionKey) (*tritonModel, bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	entry, ok := t.cache[key]
	if ok && time.Since(entry.fetched) > t.metadataTTL {
		t.cache[key] = cacheEntry{entry.model, time.Now()}
		return nil, false
	}
	return entry.model, ok
}

// store caches a model and returns it, or the cached one if that has the same
// description.
func (t *Triton) store(m *tritonModel) *tritonModel {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if entry, ok := t.cache[m.key]; ok && reflect.DeepEqual(entry.model.info, m.info) {
		m = entry.model
	}
	t.cache[m.key] = cacheEntry{m, time.Now()}
	return m
}

// invalidate makes the next caller of Model fetch the description again. If that
// is the same, the model stays.
func (t *Triton) invalidate(key versionKey) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if entry, ok := t.cache[key]; ok {
		t.cache[key] = cacheEntry{model: entry.model}
	}
}

// evict removes m from the cache, unless another model has replaced it there.
func (t *Triton) evict(m *tritonModel) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.cache[m.key].model == m {
		delete(t.cache, m.key)
	}
}

// fetchMetadata asks the server for the description of a model.
func (t *Triton) fetchMetadata(ctx context.Context, key versionKey) (*tritonModel, error) {
	metadata, err := t.client.ModelMetadata(ctx, &kserve.ModelMetadataRequest{Name: key.name, Version: key.version})
	if err != nil {
		return nil, err
	}
	config, err := t.client.ModelConfig(ctx, &kserve.ModelConfigRequest{Name: key.name, Version: key.version})
	if err != nil && status.Code(err) != codes.Unimplemented { // ModelConfig is an extension of Triton
		return nil, err
	}
	m := &tritonModel{triton: t, key: key, info: Info{
		Name: key.name, Version: cmp.Or(key.version, highest(metadata.GetVersions())), Backend: backendTriton,
		Metadata: map[string]string{},
	}}
	m.info.addParameters(config.GetConfig())
	if err := m.info.setTensors(tensorInfos(metadata.GetInputs()), tensorInfos(metadata.GetOutputs())); err != nil {
		return nil, &RefusedError{Name: key.name, Reason: err.Error()}
	}
	return m, nil
}

func tensorInfos(all []*kserve.ModelMetadataResponse_TensorMetadata) (infos []TensorInfo) {
	for _, t := range all {
		infos = append(infos, TensorInfo{t.GetName(), ElementType(t.GetDatatype()), t.GetShape()})
	}
	return infos
}

// highest returns the highest version, or "" if there is none.
func highest(versions []string) string {
	if len(versions) == 0 {
		return ""
	}
	return slices.MaxFunc(versions, compareVersions)
}

// compareVersions compares the names of versions as numbers.
func compareVersions(a, b string) int {
	m, _ := strconv.Atoi(a)
	n, _ := strconv.Atoi(b)
	return cmp.Compare(m, n)
}
