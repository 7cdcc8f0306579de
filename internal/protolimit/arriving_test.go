package protolimit_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/protolimit"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// arrive checks a message whose bytes arrive in pieces of a size, and returns how
// many had arrived at the error.
func arrive(a *protolimit.Arriving, message []byte, size int) (arrived int, err error) {
	for arrived < len(message) && err == nil {
		piece := message[arrived:min(len(message), arrived+size)]
		arrived += len(piece)
		err = a.Check(piece)
	}
	return arrived, err
}

// TestArriving_hostile: messages beyond the limits on their first level are refused
// before 300,000 bytes of them have arrived.
func TestArriving_hostile(t *testing.T) {
	a := protolimit.NewArriving(imageflowv1.PipelineService_RunPipeline_FullMethodName)
	for _, c := range hostile {
		if c.name == "steps after an image" || len(c.message) < 1<<20 {
			continue // images are unlimited, and Codec refuses the small messages
		}
		for _, size := range []int{1, 7, 32 << 10} {
			a.Reset()
			arrived, err := arrive(a, c.message, size)
			if status.Code(err) != codes.InvalidArgument || arrived > 300_000 {
				t.Errorf("%s in pieces of %d: %d bytes had arrived at %v", c.name, size, arrived, err)
			}
		}
	}
}

// TestArriving_image: the bytes of an image do not count, wherever they are cut.
func TestArriving_image(t *testing.T) {
	message, err := proto.Marshal(&imageflowv1.RunPipelineRequest{
		ExecutionId: strings.Repeat("x", 900), InputBytes: make([]byte, 1<<20),
		Steps: []*imageflowv1.PipelineStep{{
			Processor: &imageflowv1.PipelineStep_Filter{Filter: &imageflowv1.FilterRequest{Intensity: 0.5}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := protolimit.NewArriving(imageflowv1.PipelineService_RunPipeline_FullMethodName)
	for _, size := range []int{1, 3, 1000, len(message)} {
		a.Reset()
		if _, err := arrive(a, message, size); err != nil {
			t.Errorf("in pieces of %d: %v", size, err)
		}
	}
}
