package scenario

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// BenchmarkImages makes one request at a time, in turns, on a real MinIO: an image by a signed URL that is not there
// yet and the same resize by POST /v1/resize, in either order, the image again, a bare get of it by minio-go, and the
// image with its ETag. It reports the medians of their times, and the CPU time of gateway and resize. Run it with
// -races=false -benchtime=100x.
func BenchmarkImages(b *testing.B) {
	d := deploy(b, setup{forgetful: true})
	g := startImages(b, d, 800, "MINIO_ENDPOINT="+d.addresses["s3"]) // not through the proxy that counts
	m, spent, run := series{}, map[string]time.Duration{}, time.Now().UnixNano()
	measure := func(name string, f func() error) {
		before := cpu(b, g.process.cmd.Process.Pid) + cpu(b, g.resize.cmd.Process.Pid)
		m.add(name, m.time(b, f))
		spent[name] += cpu(b, g.process.cmd.Process.Pid) + cpu(b, g.resize.cmd.Process.Pid) - before
	}
	for i := range b.N {
		key := fmt.Sprintf("bench/%d-%d", run, i)
		g.place(b, key+".jpg", sample(b))
		link, etag := g.signed(key+".jpg", "preset=card"), ""
		get := func(status int, header ...string) func() error {
			return func() error {
				resp, body := fetch(b, "GET", link, header...)
				if etag = resp.Header.Get("ETag"); resp.StatusCode != status {
					return fmt.Errorf("%d %s", resp.StatusCode, body)
				}
				return nil
			}
		}
		body := fmt.Sprintf(`{"input_image":{"object_key":"%s.jpg"},"target_width":800,"execution_id":"posted/%s"}`, key, key)
		first := []func(){
			func() { measure("cold", get(http.StatusOK)) },
			func() { measure("POST /v1/resize", func() error { return g.resizes(b, body) }) },
		}
		first[i%2]() // since the first of them also opens the image
		first[1-i%2]()
		output := g.keys(b, key+"_resize-get-")[0]
		measure("warm", get(http.StatusOK))
		measure("bare get", func() error { return g.read(b, output) })
		measure("304", get(http.StatusNotModified, "If-None-Match", etag))
	}
	b.ReportMetric(0, "ns/op")
	for _, name := range []string{"cold", "POST /v1/resize", "warm", "bare get", "304"} {
		fmt.Printf("%-16s p50 %7.2f ms, p95 %7.2f ms, CPU %6.2f ms\n", name, m.at(name, 50), m.at(name, 95),
			milliseconds(spent[name])/float64(b.N))
	}
}

// resizes posts a request to /v1/resize.
func (g *imageGateway) resizes(b *testing.B, body string) error {
	header := map[string]string{"Authorization": "Bearer " + imageToken}
	resp, answer := post(b, http.DefaultClient, g.base+"/v1/resize", body, header)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", resp.StatusCode, answer)
	}
	return nil
}

// read gets an object by minio-go.
func (g *imageGateway) read(b *testing.B, key string) error {
	o, err := g.s3.GetObject(b.Context(), bucket, key, minio.GetObjectOptions{})
	if err == nil {
		_, err = io.Copy(io.Discard, o)
	}
	return err
}
