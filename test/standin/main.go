// Command standin is a processor of fixed cost: its jobs hold a core for a time without using it. The rest is as in the
// role filter: the contract, events, admission, transfers and draining. Many pods of it fit on a small cluster, so that
// tests of scaling measure the way to the pods and not the pods. Its variables are those of filter, and STANDIN_TIME.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"imageflow.dev/functions"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/rpc"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/signature"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The limits of the role filter, with images of at most 8 MiB.
const (
	queueLength  = 64
	decodedBytes = 256 << 20
	objectBytes  = 8 << 20
	jobTimeout   = 2 * time.Minute
	drainDelay   = time.Second
	drainTimeout = 30 * time.Second
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	took, err := time.ParseDuration(cmp.Or(os.Getenv("STANDIN_TIME"), "100ms"))
	if err != nil {
		return fmt.Errorf("STANDIN_TIME is %q, which is not a duration", os.Getenv("STANDIN_TIME"))
	}
	pod, err := os.Hostname()
	if err != nil {
		return err
	}
	s, err := listen(processor(took, pod))
	if err != nil {
		return err
	}
	slog.Info("serving", "role", "standin", "address", s.Address(), "time", took.String())
	return s.Run(ctx)
}

// processor returns a filter that takes a time and hands on the image. The applied parameter "pod" says who answers.
func processor(took time.Duration, pod string) functions.Processor {
	return functions.New(functions.Definition[*imageflowv1.FilterRequest, *imageflowv1.FilterResponse]{
		Info: processors.Filter,
		Apply: func(ctx context.Context, r *imageflowv1.FilterRequest, in functions.Input) (
			imaging.Encoded, *imageflowv1.FilterResponse, error,
		) {
			select {
			case <-time.After(took):
			case <-ctx.Done():
				return imaging.Encoded{}, nil, ctx.Err()
			}
			out, err := in.Image.Convert(ctx, in.Format)
			return out, &imageflowv1.FilterResponse{
				Result: &imageflowv1.ProcessingResult{},
				Metadata: &imageflowv1.FilterMetadata{
					FilterType: r.GetFilterType(), AppliedParameters: map[string]string{"pod": pod},
				},
			}, err
		},
	})
}

// listen serves a processor in gRPC and CloudEvents on one port.
func listen(p functions.Processor) (*server.Server, error) {
	if err := imaging.Start(); err != nil {
		return nil, err
	}
	signer, err := signature.New(strings.Split(os.Getenv("EVENT_SIGNING_KEYS"), ","), false)
	if err != nil {
		return nil, errors.New("EVENT_SIGNING_KEYS is not usable: " + err.Error())
	}
	runner, admission, err := newRunner(p)
	if err != nil {
		return nil, err
	}
	healthy := health.NewServer()
	healthy.SetServingStatus(p.Service, healthpb.HealthCheckResponse_SERVING)
	services := server.NewRPC(server.RPCConfig{MaxReceiveBytes: objectBytes + 1<<20, MaxSendBytes: objectBytes + 1<<20})
	handler := &rpc.Handler{Processor: p, Run: runner.Run, Health: healthy, StreamParallelism: admission.Parallelism()}
	if err := handler.Register(services); err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.Handle("POST /{$}", &event.Handler{Processor: p, Run: runner.Run, Signer: signer})
	return server.Listen(server.Config{
		Role: "standin", Address: net.JoinHostPort(os.Getenv("HOST"), cmp.Or(os.Getenv("PORT"), "8080")),
		BodyBytes: objectBytes + 1<<20, DrainDelay: drainDelay, DrainTimeout: drainTimeout,
	}, services, routes, healthy)
}

// newRunner returns the runner of a processor and its admission control.
func newRunner(p functions.Processor) (*job.Runner, *job.Admission, error) {
	store, err := objects.New(objects.Config{
		Endpoint: os.Getenv("MINIO_ENDPOINT"), AccessKey: os.Getenv("MINIO_ACCESS_KEY"), SecretKey: os.Getenv("MINIO_SECRET_KEY"),
		Region: "us-east-1",
	})
	if err != nil {
		return nil, nil, err
	}
	const bucket = "imageflow-files"
	cores := int64(runtime.GOMAXPROCS(0))
	admission := job.NewAdmission(job.AdmissionLimits{
		Queue: queueLength, Active: 4 * cores, DecodedBytes: decodedBytes, Cores: cores,
	})
	return job.NewRunner(p, store, admission, job.Config{
		Bucket: bucket, ReadFrom: objects.AllowList{bucket}, WriteTo: objects.AllowList{bucket},
		MaxObjectBytes: objectBytes, Timeout: jobTimeout,
		Limits: imaging.Limits{MaxSide: 16383, MaxPixels: 80e6, MaxFrames: 1, MaxAnimationPixels: 80e6},
	}), admission, nil
}
