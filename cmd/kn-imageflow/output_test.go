package main

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// twoChanges serves a watch with two changes, and a replay, whose request it keeps.
type twoChanges struct {
	imageflowv1.UnimplementedExecutionServiceServer
	replay *imageflowv1.ReplayDeadLettersRequest
}

func (*twoChanges) WatchExecutions(
	_ *imageflowv1.WatchExecutionsRequest, s grpc.ServerStreamingServer[imageflowv1.WatchExecutionsResponse],
) (err error) {
	for _, id := range []string{"one", "two"} {
		if err == nil {
			err = s.Send(&imageflowv1.WatchExecutionsResponse{Execution: &imageflowv1.ExecutionSummary{ExecutionId: id}})
		}
	}
	return err
}

func (c *twoChanges) ReplayDeadLetters(
	_ context.Context, r *imageflowv1.ReplayDeadLettersRequest,
) (*imageflowv1.ReplayDeadLettersResponse, error) {
	c.replay = r
	return &imageflowv1.ReplayDeadLettersResponse{DeadLetters: []*imageflowv1.DeadLetter{{Id: "photos/cat/1.json"}}}, nil
}

// TestWatch_yaml: several objects are several documents.
func TestWatch_yaml(t *testing.T) {
	_, out, wrong := call(t, nil, "execution", "watch", "-o", "yaml", "--gateway", serve(t, &twoChanges{}))
	if strings.Count(out, "---\n") != 1 || strings.Count(out, "kind: Execution\n") != 2 {
		t.Errorf("got %s%s", out, wrong)
	}
}

// TestReplay_format: a command with a wrong format does nothing.
func TestReplay_format(t *testing.T) {
	for _, format := range []string{"xml", "jsonpath={.items"} {
		c := &twoChanges{}
		code, _, wrong := call(t, nil, "dead-letter", "replay", "--all", "-o", format, "--gateway", serve(t, c))
		if code != 1 || c.replay != nil || !strings.Contains(wrong, "Run 'kn imageflow dead-letter replay --help' for usage") {
			t.Errorf("-o %s: code %d, %s; the gateway got %v", format, code, wrong, c.replay)
		}
	}
}

// TestReplay_ids: ids name the bucket, too, and one that cannot be sent again is an error.
func TestReplay_ids(t *testing.T) {
	c := &twoChanges{}
	ids := []string{"deadletter.imageflow.dev/photos/cat/1.json", "photos/cat/1.json"}
	args := append([]string{"dead-letter", "replay", "--gateway", serve(t, c)}, ids...)
	if code, _, wrong := call(t, nil, args...); code != 0 || c.replay.GetBucket() != "photos" || len(c.replay.GetIds()) != 1 {
		t.Errorf("code %d, %s; the gateway got %v", code, wrong, c.replay)
	}
	code, _, wrong := call(t, nil, append(args, "photos/dog/2.json")...)
	if code != 1 || !strings.HasSuffix(wrong, "Error: 1 dead letter cannot be sent again: its event is lost\n") {
		t.Errorf("code %d, %s", code, wrong)
	}
}
