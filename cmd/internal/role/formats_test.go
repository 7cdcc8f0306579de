package role_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestListFormats: gRPC, JSON and the gateway list the same formats.
func TestListFormats(t *testing.T) {
	describeEnvironment(t)
	address, end := run(t, "resize")
	t.Setenv("RESIZE_GRPC_ENDPOINT", address)
	atGateway, endGateway := run(t, "gateway")
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	listed, err := imageflowv1.NewImageServiceClient(conn).ListFormats(t.Context(), &imageflowv1.ListFormatsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{address, atGateway} {
		var got struct {
			Formats []struct {
				ContentType string `json:"content_type"`
				Read, Write bool
				Options     []string
			}
		}
		a := ask(t, "GET", "http://"+at+"/v1/formats", "", "")
		if err := json.Unmarshal([]byte(a.text), &got); a.status != 200 || err != nil || len(got.Formats) != len(listed.GetFormats()) {
			t.Fatalf("got %d %s, want %v", a.status, a.text, listed)
		}
		for i, f := range got.Formats {
			want := listed.GetFormats()[i]
			if f.ContentType != want.GetContentType() || f.Read != want.GetRead() || !slices.Equal(f.Options, want.GetOptions()) {
				t.Errorf("got %+v, want %v", f, want)
			}
			if f.ContentType == "image/jpeg" && (!f.Read || !f.Write || !slices.Contains(f.Options, "progressive")) {
				t.Errorf("got %+v", f)
			}
		}
	}
	if err := errors.Join(endGateway(), end()); err != nil {
		t.Error(err)
	}
}
