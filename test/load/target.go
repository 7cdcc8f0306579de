package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"imageflow.dev/internal/execution"
)

// steps has the same steps as eventing/chain.yaml.
const steps = `[{"resize":{"target_width":800,"target_height":600,"maintain_aspect_ratio":true}},` +
	`{"detect":{"confidence_threshold":0.5,"nms_threshold":0.4,"draw_boxes":true}},` +
	`{"filter":{"filter_type":"FILTER_TYPE_SHARPEN","intensity":1}}]`

// calls sends each image of the set in turn as the bytes of a call of the pipeline.
func calls(gateway, token string, set []testImage) (vegeta.Targeter, error) {
	var bodies [][]byte
	for _, p := range set {
		body, err := json.Marshal(map[string]any{"input_bytes": p.data, "steps": json.RawMessage(steps)})
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	var n atomic.Int64
	return func(t *vegeta.Target) error {
		t.Method, t.URL, t.Header = http.MethodPost, gateway+"/v1/pipeline", header
		t.Body = bodies[int(n.Add(1)-1)%len(bodies)]
		return nil
	}, nil
}

// uploads puts images into the bucket and waits until the gateway reports the outcome of each
// chain. As a RoundTripper, it makes this one call for its caller.
type uploads struct {
	gateway, token, bucket, run string
	s3                          *minio.Client
	set                         []testImage
	limit                       time.Duration
}

func newUploads(c config, set []testImage) (*uploads, error) {
	s3, err := minio.New(c.s3, &minio.Options{Creds: credentials.NewStaticV4(c.accessKey, c.secretKey, ""), Region: "us-east-1"})
	return &uploads{
		gateway: c.gateway,
		token:   c.token,
		bucket:  c.bucket,
		run:     fmt.Sprintf("load/%d", time.Now().Unix()),
		s3:      s3,
		set:     set,
		limit:   c.timeout,
	}, err
}

// targeter numbers the images. The URL only carries the number.
func (u *uploads) targeter() vegeta.Targeter {
	var n atomic.Int64
	return func(t *vegeta.Target) error {
		t.Method, t.URL = http.MethodPut, fmt.Sprintf("http://upload/%d", n.Add(1)-1)
		return nil
	}
}

// RoundTrip answers with the last answer of the gateway: 200 for a completed chain, 502 for a
// failed one, 504 for a chain that takes too long.
func (u *uploads) RoundTrip(r *http.Request) (*http.Response, error) {
	var n int
	if _, err := fmt.Sscanf(path.Base(r.URL.Path), "%d", &n); err != nil {
		return nil, err
	}
	p := u.set[n%len(u.set)]
	ctx, cancel := context.WithTimeout(r.Context(), u.limit)
	defer cancel()
	id, err := u.put(ctx, fmt.Sprintf("%s/%d", u.run, n), p)
	if err != nil {
		return nil, err
	}
	code, body := u.ended(ctx, id)
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Request: r, Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}

// put puts an image, and returns the id of the execution that it starts.
func (u *uploads) put(ctx context.Context, name string, p testImage) (id string, err error) {
	key := name + "." + strings.TrimPrefix(p.contentType, "image/")
	_, err = u.s3.PutObject(ctx, u.bucket, key, bytes.NewReader(p.data), int64(len(p.data)),
		minio.PutObjectOptions{ContentType: p.contentType})
	return execution.ID(key), err
}

func (u *uploads) ended(ctx context.Context, id string) (code int, body []byte) {
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return http.StatusGatewayTimeout, body
		case <-time.After(max(time.Since(began)/5, 25*time.Millisecond)):
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.gateway+"/v1/executions/"+id, nil)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		if u.token != "" {
			req.Header.Set("Authorization", "Bearer "+u.token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		body, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
		var a answer
		_ = json.Unmarshal(body, &a)
		switch a.Status {
		case "PROCESSING_STATUS_COMPLETED":
			return http.StatusOK, body
		case "PROCESSING_STATUS_FAILED":
			return http.StatusBadGateway, body
		}
	}
}
