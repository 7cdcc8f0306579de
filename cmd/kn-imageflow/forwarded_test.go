package main

import (
	"context"
	"errors"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// restarted is a gateway in a pod that ends, or in the one after it. Each sends a change and a heartbeat.
type restarted struct {
	imageflowv1.UnimplementedExecutionServiceServer
	sends string
	// end ends the pod; nil if it goes on.
	end func()
	// continues is the id after which the watch continues.
	continues string
}

func (r *restarted) WatchExecutions(
	request *imageflowv1.WatchExecutionsRequest, s grpc.ServerStreamingServer[imageflowv1.WatchExecutionsResponse],
) error {
	r.continues = request.GetLastEventId()
	change := &imageflowv1.WatchExecutionsResponse{EventId: r.sends, Execution: &imageflowv1.ExecutionSummary{ExecutionId: r.sends}}
	if err := errors.Join(s.Send(change), s.Send(&imageflowv1.WatchExecutionsResponse{})); err != nil {
		return err
	}
	<-s.Context().Done()
	return nil
}

// TestWatchRestart: a watch through a forwarded port continues in another pod after the last change, also if heartbeats followed.
func TestWatchRestart(t *testing.T) {
	pods, forwarded := []*restarted{{sends: "one"}, {sends: "two"}}, 0
	forward := func(context.Context, string) (string, func(), error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		server := grpc.NewServer()
		imageflowv1.RegisterExecutionServiceServer(server, pods[forwarded])
		pods[forwarded].end = server.Stop
		forwarded++
		go func() { _ = server.Serve(l) }()
		return l.Addr().String(), server.Stop, nil
	}
	g, err := forwardGateway(t.Context(), forward)
	if err != nil {
		t.Fatal(err)
	}
	defer g.stop()
	conn, err := grpc.NewClient("passthrough:///gateway", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(g.dial))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	errEnd := errors.New("the end of the test")
	var seen string
	err = watchExecutions(t.Context(), imageflowv1.NewExecutionServiceClient(conn), &imageflowv1.WatchExecutionsRequest{},
		func(change *imageflowv1.WatchExecutionsResponse) error {
			switch seen += " " + change.GetExecution().GetExecutionId(); seen {
			case " one ": // and a heartbeat
				go pods[0].end()
			case " one  two":
				return errEnd
			}
			return nil
		})
	if !errors.Is(err, errEnd) || pods[1].continues != "one" {
		t.Errorf("got %v, %q; the second pod continued after %q", err, seen, pods[1].continues)
	}
}
