//go:build cgo

package inference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	kserve "imageflow.dev/proto/inference"
)

// loaded is the library that this process has loaded.
var loaded struct {
	sync.Mutex
	library string
}

// startRuntime loads ONNX Runtime unless the process has loaded it, and checks
// that it supports the options.
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
	loaded.Lock()
	defer loaded.Unlock()
	if ort.IsInitialized() {
		if library != loaded.library {
			return fmt.Errorf("ONNX Runtime is already loaded from %s", loaded.library)
		}
		return nil
	}
	if _, err := os.Stat(library); err != nil {
		return fmt.Errorf("ONNX Runtime's library: %w (set ONNXRUNTIME_LIB; `make setup` fetches it)", err)
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(); err != nil {
		return fmt.Errorf("ONNX Runtime %s: %w", library, err)
	}
	loaded.library = library
	return nil
}

// onnxModel is one session. ONNX Runtime allows concurrent runs of a session.
type onnxModel struct {
	session *ort.DynamicAdvancedSession
	info    Info
	outputs *outputPool
	// instances has an element for each run; nil means that their number is not limited.
	instances chan struct{}

	stopped atomic.Bool
	runs    sync.RWMutex // read-locked during a run
}

// checkFile returns an error unless there is a file of a possible size. Reading a pipe or a device
// might never end.
func checkFile(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; the folder has [%.200s]", err, strings.Join(filesBelow(filepath.Dir(file)), ", "))
	case err != nil:
		return err
	case !info.Mode().IsRegular(), info.Size() > maxModelBytes:
		return fmt.Errorf("%s must be a file of at most %d bytes; larger weights belong in separate files", file, maxModelBytes)
	}
	return nil
}

// load loads one version of the model in dir.
func load(dir, name, version string, o Options) (session, error) {
	file := filepath.Join(dir, version, modelFile)
	if err := checkFile(file); err != nil {
		return nil, err
	}
	weights, precision, err := readWeights(file)
	if err != nil {
		return nil, err
	}
	files := append([]string{file, filepath.Join(dir, configFile), filepath.Join(dir, labelsFile)}, weights...)
	if err := checkLinks(dir, files); err != nil {
		return nil, err
	}
	config, err := readModelConfig(dir)
	if err != nil {
		return nil, err
	}
	if o.Threads, err = threads(config, o.Threads); err != nil {
		return nil, err
	}
	m := &onnxModel{info: Info{
		Name: name, Version: version, Backend: backendONNX, Provider: cmp.Or(o.Provider, CPU),
		Precision: precision, Threads: o.Threads, Instances: instances(config),
	}}
	if m.info.Instances > 0 {
		m.instances = make(chan struct{}, m.info.Instances)
	}
	if err := m.open(file, o); err != nil {
		return nil, err
	}
	if err := m.addFiles(dir, config, files); err != nil {
		m.free()
		return nil, err
	}
	return m, nil
}

// open creates the session.
func (m *onnxModel) open(file string, o Options) error {
	if err := m.describe(file); err != nil {
		return err
	}
	options, err := sessionOptions(o)
	if err != nil {
		return err
	}
	defer destroy(options)
	if m.session, err = ort.NewDynamicAdvancedSession(file, inputNames(m.info.Inputs), m.info.OutputNames, options); err != nil {
		return err
	}
	if m.outputs, err = newOutputPool(m.info, m.info.OutputTypes); err != nil {
		m.free()
	}
	return err
}

// addFiles adds what the files of the model say to its description, and their digest.
func (m *onnxModel) addFiles(dir string, config *kserve.ModelConfig, files []string) (err error) {
	if m.info.Metadata, err = metadata(m.session); err != nil {
		return err
	}
	m.info.addParameters(config)
	if err := m.info.readLabels(dir); err != nil {
		return err
	}
	m.info.Digest, err = digest(files...)
	return err
}

// describe reads the inputs and outputs of a model file. The runtime creates a
// temporary session for this, so optimisations are switched off.
func (m *onnxModel) describe(file string) error {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	defer destroy(options)
	err = errors.Join(options.SetIntraOpNumThreads(1), options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll))
	if err != nil {
		return err
	}
	inputs, outputs, err := ort.GetInputOutputInfoWithOptions(file, options)
	if err != nil {
		return cmp.Or(errors.Unwrap(err), err) // the outer error only mentions the temporary session
	}
	return m.info.setTensors(describeTensors(inputs), describeTensors(outputs))
}

func inputNames(inputs []TensorInfo) (names []string) {
	for _, in := range inputs {
		names = append(names, in.Name)
	}
	return names
}

// sessionOptions returns the options of a session. The caller destroys them.
func sessionOptions(o Options) (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(o.Threads),
		// A spinning thread would take a core from other requests.
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

// destroy frees an object of the runtime. An error only means that it is freed already.
func destroy(object interface{ Destroy() error }) { _ = object.Destroy() }

// useCUDA makes sessions run on the first GPU.
func useCUDA(options *ort.SessionOptions) error {
	cuda, err := ort.NewCUDAProviderOptions()
	if err == nil {
		defer destroy(cuda)
		// The default would try all algorithms of cuDNN at the first run.
		err = errors.Join(
			cuda.Update(map[string]string{"cudnn_conv_algo_search": "HEURISTIC"}),
			options.AppendExecutionProviderCUDA(cuda),
		)
	}
	if err != nil {
		return fmt.Errorf("ONNXRUNTIME_PROVIDER is cuda, but CUDA is not available: %w"+
			" (it needs a CUDA build of ONNX Runtime, CUDA's libraries and a GPU)", err)
	}
	return nil
}

// Info returns the model's description.
func (m *onnxModel) Info() Info { return m.info }

func (m *onnxModel) stop() { m.stopped.Store(true) }

func (m *onnxModel) free() {
	m.runs.Lock()
	defer m.runs.Unlock()
	destroy(m.session)
}

// Infer runs the session.
func (m *onnxModel) Infer(ctx context.Context, inputs []Tensor, use func([]Tensor) error) error {
	if err := m.info.checkInputs(inputs); err != nil {
		return err
	}
	if m.stopped.Load() {
		return ErrChanged
	}
	if m.instances != nil {
		select {
		case m.instances <- struct{}{}:
			defer func() { <-m.instances }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.runs.RLock()
	defer m.runs.RUnlock()
	if m.stopped.Load() { // meanwhile
		return ErrChanged
	}
	values, err := newInputs(inputs, m.info.Inputs)
	defer destroyAll(values)
	if err != nil {
		return err
	}
	return m.outputs.with(batch(inputs[0].Shape), func(outputs []ort.Value) error { return m.run(ctx, values, outputs) }, use)
}

// run runs the session, and stops it when ctx ends.
func (m *onnxModel) run(ctx context.Context, inputs, outputs []ort.Value) (err error) {
	start := time.Now()
	defer func() { recordRun(ctx, backendONNX, m.info.Name, start, err) }()
	run, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	defer destroy(run)
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = run.Terminate()
		close(terminated)
	})
	err = m.session.RunWithOptions(inputs, outputs, run)
	if !stop() {
		<-terminated // Terminate uses the options, which are destroyed next
		err = errors.Join(ctx.Err(), err)
	}
	return err
}
