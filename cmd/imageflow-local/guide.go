package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"text/template"
	"time"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/signedurl"
)

// guideText lists the address of every part, with one example for each protocol.
// The examples run unchanged.
var guideText = template.Must(template.New("guide").Parse(`
ImageFlow is running. Press Ctrl-C to stop it. Data: {{.Data}}

  console       {{.URL.gateway}}/   watch images move through the chain, try steps, replay dead letters
  objects (S3)  {{.URL.s3}}   access key {{.AccessKey}}, secret key {{.SecretKey}}
  gateway       {{.URL.gateway}}   JSON: /v1/pipeline{{range .Processors}}, /v1/{{.Name}}{{end}}; described by /openapi.json
{{- range .Processors}}
  {{printf "%-13s" .Name}} {{index $.URL .Name}}   gRPC, JSON and CloudEvents on one port
{{- end}}
  broker        {{.URL.broker}}
  bridge        {{.URL.bridge}}
  notify        {{.URL.notify}}
  metrics       {{.URL.metrics}}/metrics

Upload an image with any S3 client. The chain starts by itself:
  curl --aws-sigv4 aws:amz:us-east-1:s3 --user {{.AccessKey}}:{{.SecretKey}} -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
    -H 'Content-Type: image/jpeg' -T {{.Sample}} {{.URL.s3}}/{{.Bucket}}/uploads/mine.jpg

JSON:
  curl -s {{.URL.gateway}}/v1/detect -H 'Content-Type: application/json' -d '{
    "input_image":{"bucket":"{{.Bucket}}","object_key":"uploads/mine.jpg"},"draw_boxes":true}'

Several steps in one call:
  curl -s {{.URL.gateway}}/v1/pipeline -H 'Content-Type: application/json' -d '{
    "input_image":{"bucket":"{{.Bucket}}","object_key":"uploads/mine.jpg"},"execution_id":"one-call/mine","steps":[
    {"resize":{"target_width":800}},{"detect":{"draw_boxes":true}},{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}}]}'

Send an image and receive the result:
  curl -s {{.URL.gateway}}/v1/resize -F image=@{{.Sample}} -F target_width=320 -o small.jpg

{{with .Image}}Images by signed URLs, for an hour; imageflow sign makes more:
  curl -s '{{.}}' -o card.jpg

{{end}}gRPC:
  grpcurl -plaintext -d '{"input_image":{"bucket":"{{.Bucket}}","object_key":"uploads/mine.jpg"},"target_width":320}' \
    {{.ResizeAddress}} imageflow.v1.ResizeService/ResizeImage

{{if .Unsigned}}CloudEvent (unsigned events are allowed):
  curl -i '{{.URL.filter}}/?filter_type=FILTER_TYPE_BLUR&intensity=1' -H 'Ce-Id: 1' -H 'Ce-Specversion: 1.0' -H 'Ce-Source: me' \
    -H 'Ce-Type: {{.CreatedType}}' -H 'Content-Type: application/json' \
    -d '{"s3":{"bucket":{"name":"{{.Bucket}}"},"object":{"key":"uploads%2Fmine.jpg"}}}'
{{else}}CloudEvents need the signature of the bridge. To send one by hand, restart with --allow-unsigned-events.
{{end}}
`))

// imageURL returns a signed URL of the image of the guide, or "" if there are none.
func imageURL(s *settings) string {
	keys, err := s.images.URLKeys()
	if err != nil || keys == nil {
		return ""
	}
	parameters := url.Values{signedurl.Expires: {strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)}}
	if set, err := s.presets.Presets(); err == nil {
		for _, preset := range set.List().GetPresets() {
			if preset.GetParameters().GetResize() != nil {
				parameters.Set("preset", preset.GetName())
				return s.url("gateway") + keys.Sign(gateway.ImagesPath+"uploads/mine.jpg", parameters)
			}
		}
	}
	parameters.Set("target_width", "320")
	return s.url("gateway") + keys.Sign(gateway.ImagesPath+"uploads/mine.jpg", parameters)
}

// guide prints the addresses and one example for each protocol.
func guide(out io.Writer, s *settings) {
	sample := s.image
	if sample == "" {
		sample = "image.jpg"
	}
	urls := map[string]string{}
	for _, l := range listeners {
		urls[l.name] = s.url(l.name)
	}
	err := guideText.Execute(out, map[string]any{
		"Data": s.data, "AccessKey": s.accessKey, "SecretKey": s.secretKey, "Bucket": s.bucket, "Sample": sample,
		"URL": urls, "Processors": processors.All,
		"ResizeAddress": s.address("resize"), "Unsigned": s.signing.AllowUnsigned,
		"Image":       imageURL(s),
		"CreatedType": events.ObjectCreatedPrefix + "Put",
	})
	if err != nil {
		fmt.Fprintln(out, err)
	}
}
