package gateway

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Text in pieces of any size, some of them with line ends, is decoded like the whole text.
func TestBase64_pieces(t *testing.T) {
	want := make([]byte, 20_000)
	for i := range want {
		want[i] = byte(i * i >> 8)
	}
	text := base64.StdEncoding.EncodeToString(want)
	text = text[:9000] + "\r\n" + text[9000:]
	for _, size := range []int{1, 2, 3, 5, 76, 4095, 4096, 4097, len(text)} {
		var b base64Text
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if err := b.add([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if got, err := b.end(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: %d bytes, %v", size, len(got), err)
		}
	}
}

// BenchmarkDecodeJSON decodes a request with an image of 24 MiB.
func BenchmarkDecodeJSON(b *testing.B) {
	image := make([]byte, 24<<20)
	for i := range image {
		image[i] = byte(i * i >> 8)
	}
	body := `{"target_width":1,"input_bytes":"` + base64.StdEncoding.EncodeToString(image) + `"}`
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := decodeJSON(strings.NewReader(body), &imageflowv1.ResizeRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}
