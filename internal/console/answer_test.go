package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// oneExecution is a gateway that knows the execution "uploads/a" of the bucket.
type oneExecution struct {
	imageflowv1.ExecutionServiceClient
}

func (oneExecution) GetExecution(
	_ context.Context, req *imageflowv1.GetExecutionRequest, _ ...grpc.CallOption,
) (*imageflowv1.GetExecutionResponse, error) {
	if req.GetBucket() != imageBucket || req.GetExecutionId() != "uploads/a" {
		return nil, status.Error(codes.NotFound, "there is no such execution")
	}
	return &imageflowv1.GetExecutionResponse{
		ExecutionId: "uploads/a", Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_RUNNING,
		Source: &imageflowv1.ImageData{Bucket: imageBucket, ObjectKey: "uploads/a.jpg", SizeBytes: 56461},
	}, nil
}

func (oneExecution) ListChains(
	context.Context, *imageflowv1.ListChainsRequest, ...grpc.CallOption,
) (*imageflowv1.ListChainsResponse, error) {
	return nil, status.Error(codes.Unimplemented, "no Triggers")
}

func (oneExecution) ReplayDeadLetters(
	context.Context, *imageflowv1.ReplayDeadLettersRequest, ...grpc.CallOption,
) (*imageflowv1.ReplayDeadLettersResponse, error) {
	return &imageflowv1.ReplayDeadLettersResponse{}, nil
}

// TestExecution_answer: the page of an execution shows the bytes of the upload, and links to the gateway's answer.
func TestExecution_answer(t *testing.T) {
	s, err := New(Config{Executions: oneExecution{}, Bucket: imageBucket, ReadFrom: []string{"other"}}) // there is no store
	if err != nil {
		t.Fatal(err)
	}
	page := getPage(s, "/execution?id=uploads/a").Body.String()
	const link = "/execution.json?bucket=imageflow-files&id=uploads%2Fa"
	if !strings.Contains(page, strings.ReplaceAll(link, "&", "&amp;")) || !strings.Contains(page, "56 kB") {
		t.Errorf("page: %s", page)
	}
	answer := getPage(s, link)
	var data struct {
		ID     string `json:"execution_id"`
		Status string
	}
	err = json.Unmarshal(answer.Body.Bytes(), &data)
	if err != nil || data.ID != "uploads/a" || data.Status != "PROCESSING_STATUS_RUNNING" {
		t.Errorf("answer: %v %s", err, answer.Body)
	}
	for _, target := range []string{"/execution.json?id=uploads/b", "/execution.json?bucket=other&id=uploads/a"} {
		if missing := getPage(s, target); missing.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", target, missing.Code, missing.Body)
		}
	}
}
