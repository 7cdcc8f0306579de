//go:build cgo

package inference

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

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
}

func load(file, name, version string, o Options) (Model, error) {
	inputs, outputs, err := ort.GetInputOutputInfo(file)
	if err != nil {
		return nil, err
	}
	if len(inputs) != 1 || inputs[0].DataType != ort.TensorElementDataTypeFloat {
		return nil, fmt.Errorf("it must have one input of float32, not %v", inputs)
	}
	m := &onnxModel{info: Info{Name: name, Version: version, Input: inputs[0].Dimensions, InputName: inputs[0].Name}}
	for _, out := range outputs {
		if out.DataType != ort.TensorElementDataTypeFloat {
			return nil, fmt.Errorf("its outputs must be of float32, not %v", out)
		}
		m.info.OutputNames = append(m.info.OutputNames, out.Name)
		m.info.Outputs = append(m.info.Outputs, out.Dimensions)
	}
	options, err := sessionOptions(o)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	if m.session, err = ort.NewDynamicAdvancedSession(file, []string{m.info.InputName}, m.info.OutputNames, options); err != nil {
		return nil, err
	}
	m.info.Metadata, err = metadata(m.session)
	return m, err
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
		err = options.AppendExecutionProviderCUDA(cuda)
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

// Infer runs the session.
func (m *onnxModel) Infer(ctx context.Context, input Tensor, use func([]Tensor) error) error {
	in, err := ort.NewTensor(input.Shape, input.Data)
	if err != nil {
		return err
	}
	defer in.Destroy()
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
	outputs := make([]ort.Value, len(m.info.Outputs)) // the runtime makes them
	err = m.session.RunWithOptions([]ort.Value{in}, outputs, run)
	if !stop() {
		<-terminated // it uses the options, which end here
		err = errors.Join(ctx.Err(), err)
	}
	defer destroy(outputs)
	if err != nil {
		return err
	}
	tensors := make([]Tensor, len(outputs))
	for i, out := range outputs {
		tensor, ok := out.(*ort.Tensor[float32])
		if !ok {
			return fmt.Errorf("output %d is no tensor of float32", i)
		}
		tensors[i] = Tensor{Shape: tensor.GetShape(), Data: tensor.GetData()}
	}
	return use(tensors)
}

// destroy frees what a run has made; a failed one may have made none.
func destroy(outputs []ort.Value) {
	for _, out := range outputs {
		if out != nil {
			_ = out.Destroy()
		}
	}
}
