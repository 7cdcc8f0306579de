package scenario

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// atOnce calls f n times at once.
func atOnce(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func framed(compressed byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{compressed}, uint32(len(message))), message...)
}

// untilDone is a reader that blocks until the context ends.
type untilDone struct{ context.Context }

func (u untilDone) Read([]byte) (int, error) {
	<-u.Done()
	return 0, io.EOF
}

// lonely returns an HTTP/2 client with a connection of its own and a receive window of this many
// bytes.
func lonely(window int) *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols: &protocols, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: window, MaxReceiveBufferPerConnection: window},
	}}
}

// call makes a gRPC call with the bytes of a body.
func (l *limited) call(ctx context.Context, role, path string, body []byte, header ...string) {
	l.send(ctx, h2c, role, path, bytes.NewReader(body), append(header, "Content-Type", "application/grpc", "TE", "trailers")...)
}

// json makes a JSON call with the token.
func (l *limited) json(ctx context.Context, role, path, body string) (status int, text string) {
	return l.send(ctx, http.DefaultClient, role, path, strings.NewReader(body), "Content-Type", "application/json",
		"Authorization", "Bearer "+gatewayToken)
}

// send posts a body and returns the status, 0 without an answer.
func (l *limited) send(
	ctx context.Context, client *http.Client, role, path string, body io.Reader, header ...string,
) (status int, text string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url(role, path), body)
	if err != nil {
		return 0, err.Error()
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(answer)
}

func resizeBody(img []byte, contentType string, width int) string {
	return fmt.Sprintf(`{"input_bytes":%q,"target_width":%d,"output_image":{"content_type":%q}}`,
		base64.StdEncoding.EncodeToString(img), width, contentType)
}

func smallJPEG(t *testing.T) []byte { return largeJPEG(t, 320, 240) }

func largeJPEG(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420), nil); err != nil {
		t.Error(err)
	}
	return b.Bytes()
}

func chunk(kind string, payload []byte) []byte {
	body := append([]byte(kind), payload...)
	out := append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
}

// greyPNG returns a grey PNG of 100×100 pixels with more chunks before its data, which can be
// replaced.
func greyPNG(before, data []byte) []byte {
	if data == nil {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write(make([]byte, 101*100))
		_ = w.Close()
		data = z.Bytes()
	}
	out := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", []byte{0, 0, 0, 100, 0, 0, 0, 100, 8, 0, 0, 0, 0})...)
	out = append(out, before...)
	return append(append(out, chunk("IDAT", data)...), chunk("IEND", nil)...)
}
