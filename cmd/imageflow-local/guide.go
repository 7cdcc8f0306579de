package main

import (
	"fmt"
	"io"
	"text/template"

	"imageflow.dev/internal/events"
)

// guideText lists the address of every part, with one example for each protocol.
// The examples run unchanged.
var guideText = template.Must(template.New("guide").Parse(`
ImageFlow is running. Press Ctrl-C to stop it. Data: {{.Data}}

  objects (S3)  {{.S3}}   access key {{.AccessKey}}, secret key {{.SecretKey}}
  gateway       {{.Gateway}}   JSON: /v1/resize, /v1/detect, /v1/filter, /v1/pipeline; described by /openapi.json
  resize        {{.Resize}}   gRPC, JSON and CloudEvents on one port
  detect        {{.Detect}}
  filter        {{.Filter}}
  broker        {{.Broker}}
  bridge        {{.Bridge}}
  metrics       {{.Metrics}}/metrics

Upload an image with any S3 client. The chain starts by itself:
  curl --aws-sigv4 aws:amz:us-east-1:s3 --user {{.AccessKey}}:{{.SecretKey}} -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
    -H 'Content-Type: image/jpeg' -T {{.Sample}} {{.S3}}/{{.Bucket}}/uploads/mine.jpg

JSON:
  curl -s {{.Gateway}}/v1/detect -H 'Content-Type: application/json' -d '{
    "input_image":{"bucket":"{{.Bucket}}","object_key":"uploads/mine.jpg"},"draw_boxes":true}'

Several steps in one call:
  curl -s {{.Gateway}}/v1/pipeline -H 'Content-Type: application/json' -d '{
    "input_image":{"bucket":"{{.Bucket}}","object_key":"uploads/mine.jpg"},"execution_id":"one-call/mine","steps":[
    {"resize":{"target_width":800}},{"detect":{"draw_boxes":true}},{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}}]}'

Send an image and receive the result:
  curl -s {{.Gateway}}/v1/resize -F image=@{{.Sample}} -F target_width=320 -o small.jpg

gRPC:
  grpcurl -plaintext -d '{"input_image":{"bucket":"{{.Bucket}}","object_key":"uploads/mine.jpg"},"target_width":320}' \
    {{.ResizeAddress}} imageflow.v1.ResizeService/ResizeImage

{{if .Unsigned}}CloudEvent (unsigned events are allowed):
  curl -i '{{.Filter}}/?filter_type=FILTER_TYPE_BLUR&intensity=1' -H 'Ce-Id: 1' -H 'Ce-Specversion: 1.0' -H 'Ce-Source: me' \
    -H 'Ce-Type: {{.CreatedType}}' -H 'Content-Type: application/json' \
    -d '{"s3":{"bucket":{"name":"{{.Bucket}}"},"object":{"key":"uploads%2Fmine.jpg"}}}'
{{else}}CloudEvents need the signature of the bridge. To send one by hand, restart with --allow-unsigned-events.
{{end}}
`))

// guide prints the addresses and one example for each protocol.
func guide(out io.Writer, s *settings) {
	sample := s.image
	if sample == "" {
		sample = "image.jpg"
	}
	err := guideText.Execute(out, map[string]any{
		"Data": s.data, "AccessKey": s.accessKey, "SecretKey": s.secretKey, "Bucket": s.bucket, "Sample": sample,
		"S3": s.url("s3"), "Gateway": s.url("gateway"), "Resize": s.url("resize"), "Detect": s.url("detect"),
		"Filter": s.url("filter"), "Broker": s.url("broker"), "Bridge": s.url("bridge"), "Metrics": s.url("metrics"),
		"ResizeAddress": s.address("resize"), "Unsigned": s.signing.AllowUnsigned,
		"CreatedType": events.ObjectCreatedPrefix + "Put",
	})
	if err != nil {
		fmt.Fprintln(out, err)
	}
}
