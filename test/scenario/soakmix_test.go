package scenario

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// mix generates requests of many kinds.
type mix struct {
	resize imageflowv1.ResizeServiceClient
	detect imageflowv1.AIDetectionServiceClient
	filter imageflowv1.FilterServiceClient

	images []mixImage // as often in it as they are to be used

	mu       sync.Mutex
	outcomes map[codes.Code]int
}

// mixImage exists as bytes and under a key.
type mixImage struct {
	key  string
	data []byte
	want codes.Code
}

// mixSizes are the images' sizes in megapixels, with how many of 100 requests
// are of them.
var mixSizes = []struct {
	megapixels float64
	percent    int
}{{0.1, 30}, {0.3, 30}, {1, 21}, {2, 12}, {6, 4}, {12, 2}, {24, 1}}

// newMix makes images of all sizes from the sample, in three formats, with the processors, and
// truncates some. A short soak has no large ones.
func newMix(t testing.TB, d *deployment) *mix {
	t.Helper()
	large := grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(65<<20), grpc.MaxCallSendMsgSize(65<<20))
	m := &mix{
		resize:   imageflowv1.NewResizeServiceClient(dial(t, d.addresses["resize"], large)),
		detect:   imageflowv1.NewAIDetectionServiceClient(dial(t, d.addresses["detect"], large)),
		filter:   imageflowv1.NewFilterServiceClient(dial(t, d.addresses["filter"], large)),
		outcomes: map[codes.Code]int{},
	}
	for _, size := range mixSizes {
		if size.megapixels > 2 && *soakRequests < soakJudged {
			continue
		}
		for _, format := range []string{"jpeg", "png", "webp"} {
			resp, err := m.resize.ResizeImage(t.Context(), &imageflowv1.ResizeRequest{
				InputBytes: sample(t), TargetWidth: int32(math.Sqrt(size.megapixels * 1e6 * 16 / 9)), Enlarge: true,
				OutputImage: &imageflowv1.ImageData{ContentType: "image/" + format},
			})
			if err != nil {
				t.Fatal(err)
			}
			whole := mixImage{fmt.Sprintf("soak/%v.%s", size.megapixels, format), resp.GetResult().GetOutputData(), codes.OK}
			cut := mixImage{"soak/cut " + format, whole.data[:len(whole.data)/2], codes.InvalidArgument}
			d.place(t, whole.key, whole.data)
			d.place(t, cut.key, cut.data)
			m.images = append(m.images, slices.Repeat([]mixImage{whole}, size.percent)...)
			if size.megapixels == 1 {
				m.images = append(m.images, cut, cut)
			}
		}
	}
	return m
}

// run makes n requests, four at once.
func (m *mix) run(t testing.TB, n int) {
	var all sync.WaitGroup
	next := make(chan bool)
	for caller := range 4 {
		all.Go(func() {
			for range next {
				m.request(t, fmt.Sprintf("soak/%d-%d", caller, rand.N(8)))
			}
		})
	}
	for range n {
		next <- true
	}
	close(next)
	all.Wait()
}

// request makes one request and checks its outcome.
func (m *mix) request(t testing.TB, execution string) {
	p := m.images[rand.N(len(m.images))]
	calls := []func(context.Context, string, mixImage) (*imageflowv1.ProcessingResult, error){m.resizes, m.detects, m.filters}
	call := calls[rand.N(len(calls))]
	if rand.N(2) == 0 {
		p.key = "" // by the bytes
	}
	result, err := call(t.Context(), execution, p)
	got := status.Code(err)
	m.mu.Lock()
	m.outcomes[got]++
	m.mu.Unlock()
	switch stored := result.GetOutputImage().GetObjectKey() != ""; {
	case got != p.want:
		t.Errorf("%q of %d bytes: %v, want %v", p.key, len(p.data), err, p.want)
	case err == nil && stored != (p.key != ""):
		t.Errorf("%q of %d bytes: the output is at %v", p.key, len(p.data), result.GetOutputImage())
	case err == nil && !stored && len(result.GetOutputData()) == 0:
		t.Errorf("%d bytes are answered with none", len(p.data))
	}
}

// input names the image or gives its bytes.
func (p mixImage) input() (reference *imageflowv1.ImageData, data []byte) {
	if p.key != "" {
		return &imageflowv1.ImageData{ObjectKey: p.key}, nil
	}
	return nil, p.data
}

// anyFormat returns the input's own format in half of the calls.
func anyFormat() *imageflowv1.ImageData {
	return &imageflowv1.ImageData{
		ContentType: []string{
			"", "", "", "", "", "", "image/jpeg", "image/jpeg", "image/png", "image/png", "image/webp", "image/avif",
		}[rand.N(12)],
	}
}

func (m *mix) resizes(ctx context.Context, execution string, p mixImage) (*imageflowv1.ProcessingResult, error) {
	r := &imageflowv1.ResizeRequest{
		TargetWidth: 50 + rand.N[int32](1500),
		Quality:     imageflowv1.ResizeQuality(rand.N(4)),
		ExecutionId: execution,
		OutputImage: anyFormat(),
	}
	r.InputImage, r.InputBytes = p.input()
	resp, err := m.resize.ResizeImage(ctx, r)
	return resp.GetResult(), err
}

func (m *mix) detects(ctx context.Context, execution string, p mixImage) (*imageflowv1.ProcessingResult, error) {
	r := &imageflowv1.DetectionRequest{ModelName: "yolo", DrawBoxes: rand.N(4) == 0, ExecutionId: execution}
	r.InputImage, r.InputBytes = p.input()
	resp, err := m.detect.DetectObjects(ctx, r)
	return resp.GetResult(), err
}

func (m *mix) filters(ctx context.Context, execution string, p mixImage) (*imageflowv1.ProcessingResult, error) {
	r := &imageflowv1.FilterRequest{
		FilterType: imageflowv1.FilterType(1 + rand.N(6)), Intensity: rand.Float32(), ExecutionId: execution,
	}
	r.InputImage, r.InputBytes = p.input()
	resp, err := m.filter.ApplyFilter(ctx, r)
	return resp.GetResult(), err
}

// String returns the number of requests by outcome.
func (m *mix) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, code := range slices.Sorted(maps.Keys(m.outcomes)) {
		all = append(all, fmt.Sprintf("%d %v", m.outcomes[code], code))
	}
	return strings.Join(all, ", ")
}
