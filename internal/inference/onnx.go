//go:build cgo

package inference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

var runtime struct {
	sync.Mutex
	library string
}

// startRuntime loads ONNX Runtime, once for the process, and sees whether it can
// do what is asked for.
func startRuntime(o Options) error {
	if err := loadRuntime(o.Library); err != nil {
		return err
	}
	options, err := sessionOptions(o)
	if err != nil {
		return fmt.Errorf("ONNX Runtime %s: %w", o.Library, err)
	}
	return options.Destroy()
}

func loadRuntime(library string) error {
	runtime.Lock()
	defer runtime.Unlock()
	if ort.IsInitialized() {
		if library != runtime.library {
			return fmt.Errorf("ONNX Runtime is loaded from %s already", runtime.library)
		}
		return nil
	}
	if _, err := os.Stat(library); err != nil {
		return fmt.Errorf("the library of ONNX Runtime: %w (set ONNXRUNTIME_LIB; `make setup` fetches it)", err)
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(); err != nil {
		return fmt.Errorf("ONNX Runtime %s: %w", library, err)
	}
	runtime.library = library
	return nil
}

// onnxModel is one session, which ONNX Runtime lets many goroutines run at once.
type onnxModel struct {
	session *ort.DynamicAdvancedSession
	info    Info
	outputs outputs
	batcher *batcher // nil where inputs are run one by one

	ended atomic.Bool
	runs  sync.RWMutex // read by each run
}

// maxModel is what ONNX can hold in one file, in bytes.
const maxModel = 1<<31 - 1

// load loads a version of the model in a folder, and reads what lies beside it.
func load(dir, name, version string, o Options) (session, error) {
	file := filepath.Join(dir, version, modelFile)
	// What is no plain file could be read without an end.
	if info, err := os.Stat(file); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() || info.Size() > maxModel {
		return nil, fmt.Errorf("%s must be a file of at most %d bytes; weights may lie in files beside it", file, maxModel)
	}
	m := &onnxModel{info: Info{Name: name, Version: version, Backend: "onnxruntime", Provider: cmp.Or(o.Provider, CPU)}}
	if err := m.describe(file); err != nil {
		return nil, err
	}
	options, err := sessionOptions(o)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	if m.session, err = ort.NewDynamicAdvancedSession(file, []string{m.info.InputName}, m.info.OutputNames, options); err != nil {
		return nil, err
	}
	m.outputs.declare(m.info)
	if m.info.Metadata, err = metadata(m.session); err == nil {
		err = m.info.beside(dir)
	}
	if err == nil {
		m.info.Digest, err = digest(file, filepath.Join(dir, configFile), filepath.Join(dir, labelsFile))
	}
	if err != nil {
		m.end()
		return nil, err
	}
	if most := m.info.batch(o.MaxBatch); most > 1 {
		m.batcher = &batcher{run: m.infer, most: most, wait: o.BatchWait}
	}
	return m, nil
}

// describe reads what a file says of its input and its outputs. The runtime makes
// a session for that, which need not be a fast one.
func (m *onnxModel) describe(file string) error {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	defer options.Destroy()
	err = errors.Join(options.SetIntraOpNumThreads(1), options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll))
	if err != nil {
		return err
	}
	inputs, outputs, err := ort.GetInputOutputInfoWithOptions(file, options)
	if err != nil {
		return cmp.Or(errors.Unwrap(err), err) // without talk of a temporary session
	}
	if len(inputs) != 1 || inputs[0].DataType != ort.TensorElementDataTypeFloat {
		return fmt.Errorf("it must have one input of float32, not %v", inputs)
	}
	m.info.Input, m.info.InputName = inputs[0].Dimensions, inputs[0].Name
	for _, out := range outputs {
		if out.DataType != ort.TensorElementDataTypeFloat {
			return fmt.Errorf("its outputs must be of float32, not %v", out)
		}
		m.info.OutputNames = append(m.info.OutputNames, out.Name)
		m.info.Outputs = append(m.info.Outputs, out.Dimensions)
	}
	return nil
}

// sessionOptions must be destroyed.
func sessionOptions(o Options) (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(o.Threads),
		// A thread that spins while it waits takes the core of another request.
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
	)
	if o.Provider == CUDA {
		err = errors.Join(err, useCUDA(options))
	}
	if err != nil {
		return nil, errors.Join(err, options.Destroy())
	}
	return options, nil
}

// useCUDA has sessions run on the first GPU.
func useCUDA(options *ort.SessionOptions) error {
	cuda, err := ort.NewCUDAProviderOptions()
	if err == nil {
		defer cuda.Destroy()
		// Each size of a batch is new to cuDNN once: it must not try all its ways.
		err = errors.Join(cuda.Update(map[string]string{"cudnn_conv_algo_search": "HEURISTIC"}), options.AppendExecutionProviderCUDA(cuda))
	}
	if err != nil {
		return fmt.Errorf("it cannot run models on CUDA, as ONNXRUNTIME_PROVIDER asks: %w"+
			" (this takes a build of ONNX Runtime with CUDA, CUDA's libraries and a GPU)", err)
	}
	return nil
}

func metadata(session *ort.DynamicAdvancedSession) (map[string]string, error) {
	m, err := session.GetModelMetadata()
	if err != nil {
		return nil, err
	}
	defer m.Destroy()
	keys, err := m.GetCustomMetadataMapKeys()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, key := range keys {
		if all[key], _, err = m.LookupCustomMetadataMap(key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Info returns the model's description.
func (m *onnxModel) Info() Info { return m.info }

// end frees the session when its last run is over.
func (m *onnxModel) end() {
	m.ended.Store(true)
	go func() {
		m.runs.Lock()
		defer m.runs.Unlock()
		_ = m.session.Destroy()
	}()
}

// Infer runs the session.
func (m *onnxModel) Infer(ctx context.Context, input Tensor, use func([]Tensor) error) error {
	if m.batcher == nil || len(input.Shape) == 0 || input.Shape[0] != 1 {
		return m.infer(ctx, input, use)
	}
	return m.batcher.infer(ctx, input, use)
}

func (m *onnxModel) infer(ctx context.Context, input Tensor, use func([]Tensor) error) error {
	if m.ended.Load() {
		return ErrChanged
	}
	m.runs.RLock()
	defer m.runs.RUnlock()
	if m.ended.Load() { // while it waited
		return ErrChanged
	}
	in, err := ort.NewTensor(input.Shape, input.Data)
	if err != nil {
		return err
	}
	defer in.Destroy()
	return m.outputs.lend(input.Shape[0], func(outputs []ort.Value) error { return m.run(ctx, in, outputs) }, use)
}

// run runs the session until the context ends.
func (m *onnxModel) run(ctx context.Context, in ort.Value, outputs []ort.Value) (err error) {
	start := time.Now()
	defer func() { measure(ctx, backendONNX, m.info.Name, start, err) }()
	run, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	defer run.Destroy()
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = run.Terminate()
		close(terminated)
	})
	err = m.session.RunWithOptions([]ort.Value{in}, outputs, run)
	if !stop() {
		<-terminated // it uses the options, which end here
		err = errors.Join(ctx.Err(), err)
	}
	return err
}
