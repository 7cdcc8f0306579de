package scenario

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// sample is a JPEG of 1920×1080 pixels.
func sample(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "images", "sample.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// work is a call from bucket to bucket. Its execution id names the outputs.
type work func(ctx context.Context, execution string) (*imageflowv1.ProcessingResult, error)

// resizing resizes an image to 800×450 pixels.
func (s *system) resizing(t testing.TB, key string, q imageflowv1.ResizeQuality) work {
	client := imageflowv1.NewResizeServiceClient(dial(t, s.addresses["resize"]))
	return func(ctx context.Context, execution string) (*imageflowv1.ProcessingResult, error) {
		r, err := client.ResizeImage(ctx, &imageflowv1.ResizeRequest{
			InputImage: &imageflowv1.ImageData{ObjectKey: key}, TargetWidth: 800, TargetHeight: 450, Quality: q, ExecutionId: execution,
		})
		return r.GetResult(), err
	}
}

// sharpening writes no side-car.
func (s *system) sharpening(t testing.TB, key string) work {
	client := imageflowv1.NewFilterServiceClient(dial(t, s.addresses["filter"]))
	return func(ctx context.Context, execution string) (*imageflowv1.ProcessingResult, error) {
		r, err := client.ApplyFilter(ctx, &imageflowv1.FilterRequest{
			InputImage: &imageflowv1.ImageData{
				ObjectKey: key,
			},
			FilterType:  imageflowv1.FilterType_FILTER_TYPE_SHARPEN,
			Intensity:   0.5,
			ExecutionId: execution,
		})
		return r.GetResult(), err
	}
}

// BenchmarkOverhead makes one call at a time, from bucket to bucket on a real MinIO, in turn with a
// bare get and puts of the same bytes by minio-go. It reports the parts of the server's time, and
// the time that the caller waits beyond it. Run it with -benchtime=200x or more.
func BenchmarkOverhead(b *testing.B) {
	d := deploy(b, setup{forgetful: true})
	d.place(b, "overhead.jpg", sample(b))
	for name, call := range map[string]work{
		"resize": d.resizing(b, "overhead.jpg", imageflowv1.ResizeQuality_RESIZE_QUALITY_GOOD),
		"filter": d.sharpening(b, "overhead.jpg"),
	} {
		b.Run(name, func(b *testing.B) {
			m := series{}
			run := time.Now().UnixNano()
			for i := range b.N {
				execution := fmt.Sprintf("overhead/%d-%d", run, i)
				result := m.call(b, call, execution)
				m.bare(b, &d.system, result)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(m.at("beyond", 95), "beyond-p95-ms")
			b.ReportMetric(m.at("fetch+store", 50)/m.at("bare get and puts", 50), "fetch+store/bare")
			if b.N > 1 {
				fmt.Print(m)
			}
		})
	}
}

// series are measured times in milliseconds, by name.
type series map[string][]float64

func (m series) add(name string, took float64) { m[name] = append(m[name], took) }

// time runs f and adds its duration.
func (m series) time(b *testing.B, f func() error) float64 {
	b.Helper()
	began := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return milliseconds(time.Since(began))
}

// call makes one call and adds the times in its answer.
func (m series) call(b *testing.B, call work, execution string) (result *imageflowv1.ProcessingResult) {
	b.Helper()
	latency := m.time(b, func() (err error) { result, err = call(b.Context(), execution); return err })
	stage := map[string]float64{}
	for _, name := range []string{"queue", "fetch", "apply", "store"} {
		took, err := strconv.ParseFloat(result.GetMetadata()[name+"_ms"], 64)
		if err != nil {
			b.Fatalf("stage %s: %v", name, err)
		}
		stage[name] = took
		m.add(name, took)
	}
	m.add("fetch+store", stage["fetch"]+stage["store"])
	m.add("latency", latency)
	m.add("beyond", latency-1000*result.GetProcessingTimeSeconds())
	return result
}

// bare gets the source of a result and puts copies of its outputs, with a pause as long as the
// work: the disk is idle for whoever writes at once after another.
func (m series) bare(b *testing.B, s *system, result *imageflowv1.ProcessingResult) {
	b.Helper()
	output := s.get(b, result.GetOutputImage().GetObjectKey())
	get := m.time(b, func() error {
		o, err := s.s3.GetObject(b.Context(), bucket, result.GetMetadata()["source_key"], minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer o.Close()
		_, err = io.ReadAll(o)
		return err
	})
	work := m["apply"][len(m["apply"])-1]
	time.Sleep(time.Duration(work * float64(time.Millisecond)))
	put := m.put(b, s, result.GetOutputImage().GetObjectKey(), output)
	m.add("bare get", get)
	m.add("bare put", put)
	if sideCar := result.GetMetadata()["side_car"]; sideCar != "" {
		second := m.put(b, s, sideCar, s.get(b, sideCar))
		m.add("bare put of the side-car", second)
		put += second
	}
	m.add("bare get and puts", get+put)
}

func (m series) put(b *testing.B, s *system, key string, data []byte) float64 {
	b.Helper()
	return m.time(b, func() error {
		// The mark keeps the bridge from starting a chain.
		_, err := s.s3.PutObject(b.Context(), bucket, "bare/"+key, bytes.NewReader(data), int64(len(data)),
			minio.PutObjectOptions{UserMetadata: map[string]string{"imageflow-execution": "bare"}})
		return err
	})
}

// at returns a percentile.
func (m series) at(name string, percent int) float64 {
	sorted := slices.Sorted(slices.Values(m[name]))
	return sorted[len(sorted)*percent/100]
}

// String returns a table.
func (m series) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%-26s %8s %8s\n", "ms", "p50", "p95")
	for _, name := range []string{
		"queue", "fetch", "apply", "store", "latency", "beyond", "fetch+store",
		"bare get", "bare put", "bare put of the side-car", "bare get and puts",
	} {
		if len(m[name]) > 0 {
			fmt.Fprintf(&out, "%-26s %8.2f %8.2f\n", name, m.at(name, 50), m.at(name, 95))
		}
	}
	return out.String()
}
