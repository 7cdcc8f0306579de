package console_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/cgroup"
	"imageflow.dev/internal/testing/freeport"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
	"imageflow.dev/test/proc"
)

const (
	openPages       = 50
	manyExecutions  = 1000
	eventsPerSecond = 100
	maxMemory       = 64 << 20 // of the console without the pages of its files, in bytes
)

// TestSpeed_memory measures a console as a process of its own, as on a cluster, while 50 pages are open and the events of 1,000
// executions come.
func TestSpeed_memory(t *testing.T) {
	if *measure == 0 {
		t.Skip("only for measurements (make bench-console)")
	}
	system := local(t, nil)
	console, pid := startConsole(t, system)
	for i := range openPages {
		path := []string{"/executions", "/executions", "/executions", "/chain", "/"}[i%5]
		keepOpen(t, console, path)
	}
	before, cpuBefore := proc.MemoryOf(pid), cpu(t, pid)
	var most proc.Memory
	ticks := time.NewTicker(time.Second / eventsPerSecond)
	defer ticks.Stop()
	n := 0
	for i := range manyExecutions {
		for _, e := range executionEvents(t, fmt.Sprintf("uploads/%d.jpg", i)) {
			<-ticks.C
			postEvent(t, console, e)
			if n++; n%20 == 0 {
				now := proc.MemoryOf(pid)
				most.Resident, most.Anonymous = max(most.Resident, now.Resident), max(most.Anonymous, now.Anonymous)
			}
		}
	}
	t.Logf("%d pages, before events: %.1f MiB, of which %.1f MiB anonymous", openPages,
		mebibytes(before.Resident), mebibytes(before.Anonymous))
	t.Logf("%d events of %d executions: at most %.1f MiB, of which %.1f MiB anonymous; %.1f ms of CPU an event", n, manyExecutions,
		mebibytes(proc.MemoryOf(pid).Peak), mebibytes(most.Anonymous), float64((cpu(t, pid)-cpuBefore).Microseconds())/1000/float64(n))
	if most.Anonymous > maxMemory {
		t.Errorf("want at most %d bytes", maxMemory)
	}
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	used, err := proc.CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// startConsole starts the role with the settings of config/components/console, beside local mode, in a cgroup that has no more
// memory than the limit.
func startConsole(t *testing.T, system *site) (base string, pid int) {
	t.Helper()
	address := freeport.Address()
	_, port, _ := strings.Cut(address, ":")
	command, err := filepath.Abs(filepath.Join(binaries, "imageflow"))
	if err != nil {
		t.Fatal(err)
	}
	group, err := cgroup.New(maxMemory)
	if err != nil {
		t.Fatal(err)
	}
	cmd := group.Command(command, "console")
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "HOST=127.0.0.1", "PORT="+port, "METRICS_PORT=0", "DRAIN_DELAY=0s", "GOMEMLIMIT=400MiB",
		"MINIO_ENDPOINT="+system.s3, "MINIO_ACCESS_KEY="+system.accessKey, "MINIO_SECRET_KEY="+system.secretKey, "READ_FROM="+bucket,
		"GATEWAY_ENDPOINT="+strings.TrimPrefix(system.url, "http://"), "ALLOW_UNSIGNED_EVENTS=true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		peak, _ := group.Peak()
		t.Logf("the cgroup had at most %.1f MiB", mebibytes(peak))
		if kills, err := group.Kills(); err != nil || kills > 0 {
			t.Errorf("the kernel killed the console %d times for lack of memory; %v", kills, err)
		}
		if err := group.Close(); err != nil {
			t.Error(err)
		}
	})
	base = "http://" + address
	awaitReady(t, base)
	return base, cmd.Process.Pid
}

// awaitReady waits until a role is ready.
func awaitReady(t *testing.T, base string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get(base + "/health/readiness")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the console is not ready: %v", err)
		}
	}
}

// keepOpen gets a page and reads its live updates until the test ends, as a browser does.
func keepOpen(t *testing.T, console, path string) {
	t.Helper()
	page, err := http.Get(console + path)
	if err != nil {
		t.Fatal(err)
	}
	html, err := io.ReadAll(page.Body)
	page.Body.Close()
	if err != nil || page.StatusCode != http.StatusOK {
		t.Fatalf("%s is answered with %d %v", path, page.StatusCode, err)
	}
	var source string
	for _, part := range strings.Split(string(html), `<live-region src="`)[1:] { // the last one is not the spare one
		source, _, _ = strings.Cut(part, `"`)
	}
	live, err := http.Get(console + strings.ReplaceAll(source, "&amp;", "&"))
	if err != nil {
		t.Fatal(err)
	}
	if live.StatusCode != http.StatusOK {
		t.Fatalf("%s is answered with %d", source, live.StatusCode)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, live.Body)
	}()
	t.Cleanup(func() {
		live.Body.Close()
		<-done
	})
}

// executionEvents returns the events of an execution with three steps.
func executionEvents(t *testing.T, key string) (all []*cloudevent.Event) {
	t.Helper()
	image := objects.Info{Bucket: bucket, Key: key, ETag: "v1", Modified: time.Now(), Size: 100_000}
	first, err := events.NewObjectFound(image)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, &first)
	origin, _ := events.OriginOf(&first)
	ended := &imageflowv1.GetExecutionResponse{
		ExecutionId: execution.ID(key), Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED,
	}
	for _, name := range []string{"resize", "detect", "filter"} {
		result := &imageflowv1.ProcessingResult{
			ProcessedAt: timestamppb.Now(), ProcessingTimeSeconds: 0.05,
			OutputImage: &imageflowv1.ImageData{Bucket: bucket, ObjectKey: key + "_" + name, Etag: "v1", SizeBytes: 50_000,
				Width: 800, Height: 600},
		}
		events.ExecutionID.Set(result, execution.ID(key))
		for _, stage := range []string{"queue", "fetch", "decode", "apply", "encode", "store"} {
			events.StageTime(stage).Set(result, "7.5")
		}
		e, err := events.NewStepCompleted(t.Context(), all[len(all)-1], name, "", &imageflowv1.FilterResponse{Result: result})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
		ended.Steps = append(ended.Steps, &imageflowv1.ExecutionStep{Name: name, OutputImage: result.GetOutputImage()})
	}
	e, err := events.NewExecutionEnded(t.Context(), all[len(all)-1], origin, ended)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, &e)
}

// postEvent sends an event as the broker does.
func postEvent(t *testing.T, console string, e *cloudevent.Event) {
	t.Helper()
	body, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(console+"/console/events", cloudevent.ApplicationCloudEventsJSON, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Fatalf("an event is answered with %d", answer.StatusCode)
	}
}
