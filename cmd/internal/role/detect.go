package role

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/openinference"
	"imageflow.dev/internal/telemetry"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The backends that run models.
const (
	onnxRuntime = "onnxruntime"
	triton      = "triton"
)

// DetectConfig is the environment of detect.
type DetectConfig struct {
	ProcessorConfig
	Backend         string        `envconfig:"INFERENCE_BACKEND" desc:"onnxruntime, or triton (default if TRITON_GRPC_URL is set)"`
	DefaultModel    string        `split_words:"true" default:"yolo" desc:"model of requests without model_name"`
	ModelRepository string        `split_words:"true" default:"/models" desc:"onnxruntime: folder or s3://bucket/prefix of models"`
	Poll            time.Duration `envconfig:"MODEL_REPOSITORY_POLL" default:"2s" desc:"onnxruntime: interval of reloads; 0: never"`
	Library         string        `envconfig:"ONNXRUNTIME_LIB" default:"/usr/lib/libonnxruntime.so.1" desc:"onnxruntime: library"`
	Provider        string        `envconfig:"ONNXRUNTIME_PROVIDER" default:"cpu" desc:"onnxruntime: cpu or cuda"`
	Threads         int           `envconfig:"ONNXRUNTIME_THREADS" default:"1" desc:"onnxruntime: threads of one run"`
	Versions        int           `envconfig:"MODEL_VERSIONS_LOADED" default:"4" desc:"onnxruntime: versions loaded by requests"`
	TritonURL       string        `envconfig:"TRITON_GRPC_URL" desc:"triton: host:port of its gRPC service"`
	TritonTimeout   time.Duration `envconfig:"TRITON_TIMEOUT" default:"30s" desc:"triton: time limit of a call"`
	ModelCache
	ModelControl
}

// Validate reports every variable that is missing or out of range.
func (c *DetectConfig) Validate() error {
	errs := []error{
		c.ProcessorConfig.Validate(),
		atLeast("ONNXRUNTIME_THREADS", c.Threads, 1),
		atLeast("MODEL_VERSIONS_LOADED", c.Versions, 0),
		atLeast("TRITON_TIMEOUT", c.TritonTimeout, time.Millisecond),
		atLeast("MODEL_REPOSITORY_POLL", c.Poll, 0), c.ModelCache.validate(c.ModelRepository),
	}
	if c.Provider != inference.CPU && c.Provider != inference.CUDA {
		errs = append(errs, fmt.Errorf("ONNXRUNTIME_PROVIDER is %q but must be cpu or cuda", c.Provider))
	}
	if b := c.backend(); b != onnxRuntime && b != triton {
		errs = append(errs, fmt.Errorf("INFERENCE_BACKEND is %q but must be onnxruntime or triton", c.Backend))
	}
	if host, port, err := net.SplitHostPort(c.tritonAddress()); c.TritonURL != "" && (err != nil || host == "" || port == "") {
		errs = append(errs, fmt.Errorf("TRITON_GRPC_URL is %q but must be host:port", c.TritonURL))
	}
	if c.backend() == triton {
		errs = append(errs, required("TRITON_GRPC_URL", c.TritonURL))
	}
	errs = append(errs, c.ModelControl.validate(c.backend()))
	return errors.Join(errs...)
}

func (c *DetectConfig) backend() string {
	switch {
	case c.Backend != "":
		return c.Backend
	case c.TritonURL != "":
		return triton
	}
	return onnxRuntime
}

func (c *DetectConfig) tritonAddress() string { return strings.TrimPrefix(c.TritonURL, "grpc://") }

func listenDetect(ctx context.Context, c *DetectConfig, t *telemetry.Tracing) (Process, error) {
	models, control, err := c.models(ctx, t)
	if err != nil {
		return nil, err
	}
	listed := modelService{models: models}
	described := openinference.New(listed, control)
	listing := service{
		desc: &imageflowv1.ModelService_ServiceDesc, closer: models,
		impl:   func(*job.Runner) any { return listed },
		routes: map[string]http.Handler{openinference.Path: described, openinference.Path + "/": described},
	}
	s, err := processor(c.ProcessorConfig, t, detect.New(models), listing)
	if err != nil {
		return nil, errors.Join(err, models.Close())
	}
	return s, nil
}

// models returns the models of the backend, and what loads and unloads them, nil if requests do not.
func (c *DetectConfig) models(ctx context.Context, t *telemetry.Tracing) (*detect.Models, *openinference.Control, error) {
	if c.backend() == triton {
		models, err := c.tritonModels(ctx, t)
		return models, nil, err
	}
	repository, err := c.openRepository(ctx, inference.Options{
		Library: c.Library, Provider: c.Provider, Threads: c.Threads, PollInterval: c.Poll, Versions: c.Versions,
		Accept: detect.Accept, Explicit: c.isExplicit(), Initial: []string{c.DefaultModel},
	})
	if err != nil {
		return nil, nil, err
	}
	models := detect.NewModels(repository, c.DefaultModel)
	// The default model must be usable; the others may be refused.
	if err := models.CheckDefault(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("DEFAULT_MODEL: %w", err), models.Close())
	}
	return models, c.control(repository), nil
}

// tritonModels returns the models of Triton, which may start later; until then detect answers Unavailable.
func (c *DetectConfig) tritonModels(ctx context.Context, t *telemetry.Tracing) (*detect.Models, error) {
	repository, err := inference.Dial(c.tritonAddress(), c.TritonTimeout, t.Client())
	if err != nil {
		return nil, err
	}
	soon, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := repository.Ready(soon); err != nil {
		slog.WarnContext(ctx, "detection unavailable: Triton is not ready", "error", err)
	}
	return detect.NewModels(repository, c.DefaultModel), nil
}

// modelService describes models.
type modelService struct {
	imageflowv1.UnimplementedModelServiceServer
	models *detect.Models
}

// ListModels describes all models.
func (s modelService) ListModels(ctx context.Context, _ *imageflowv1.ListModelsRequest) (*imageflowv1.ListModelsResponse, error) {
	resp, err := s.models.List(ctx)
	if err != nil {
		return nil, job.Status(ctx, err).Err()
	}
	return resp, nil
}

// GetModel describes one model.
func (s modelService) GetModel(ctx context.Context, req *imageflowv1.GetModelRequest) (*imageflowv1.GetModelResponse, error) {
	if err := job.Validate(req); err != nil {
		return nil, job.Status(ctx, err).Err()
	}
	resp, err := s.models.Get(ctx, req)
	if err != nil {
		return nil, job.Status(ctx, err).Err()
	}
	return resp, nil
}
