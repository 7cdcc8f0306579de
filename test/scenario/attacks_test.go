package scenario

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// attack is one kind of hostile sender. prepare makes the bytes in advance, so that this costs the
// roles no time. The returned attack ends by itself or with the context.
type attack struct {
	name    string
	prepare func(t *testing.T, l *limited) func(ctx context.Context)
}

// strong returns the strength of an attack: weak in make test, full in make hostile.
func strong(weak, full int) int {
	if *hostile {
		return full
	}
	return weak
}

var attacks = []attack{
	{"compressed calls", compressedCalls},
	{"empty steps in JSON", func(t *testing.T, l *limited) func(context.Context) {
		body := `{"steps":[` + strings.Repeat("{},", strong(300_000, 1_000_000)) + "{}]}"
		small := `{"steps":[` + strings.Repeat("{},", 85_000) + "{}]}"
		return func(ctx context.Context) {
			atOnce(strong(2, 8), func(int) { l.json(ctx, "gateway", "/v1/pipeline", body) })
			atOnce(strong(10, 60), func(int) { l.json(ctx, "gateway", "/v1/pipeline", small) })
		}
	}},
	{"empty steps in protobuf", func(t *testing.T, l *limited) func(context.Context) {
		message := framed(0, bytes.Repeat([]byte{4<<3 | 2, 0}, strong(1<<18, 1<<22)))
		return func(ctx context.Context) {
			atOnce(strong(4, 40), func(int) {
				l.call(ctx, "gateway", "/imageflow.v1.PipelineService/RunPipeline", message, "Authorization", "Bearer "+gatewayToken)
			})
		}
	}},
	{"many form parts", func(t *testing.T, l *limited) func(context.Context) {
		form := strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", strong(20_000, 400_000)) + "--x--\r\n"
		return func(ctx context.Context) {
			atOnce(strong(2, 8), func(int) {
				l.send(ctx, http.DefaultClient, "gateway", "/v1/resize", strings.NewReader(form),
					"Content-Type", "multipart/form-data; boundary=x", "Authorization", "Bearer "+gatewayToken)
			})
		}
	}},
	{"nested and large dead letters", deadLetterAttack},
	{"silent streams", silentStreams},
	{"callers that do not read", deafCallers},
	{"a store that stalls", stalledStore},
	{"images beyond the budget", largeImages},
	{"bombs in PNG", pngBombs},
}

func compressedCalls(t *testing.T, l *limited) func(context.Context) {
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
	_, _ = w.Write([]byte{7<<3 | 2, 0x80, 0x80, 0x80, 0x20}) // 64 MiB of input_bytes follow
	_, _ = w.Write(make([]byte, 64<<20))
	_ = w.Close()
	body := framed(1, z.Bytes())
	return func(ctx context.Context) {
		for role, paths := range map[string][]string{
			"gateway": {"/imageflow.v1.PipelineService/RunPipeline", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"},
			"resize":  {"/imageflow.v1.ResizeService/ResizeImage", "/imageflow.v1.ResizeService/ResizeImageStream"},
			"detect":  {"/imageflow.v1.AIDetectionService/DetectObjectsStream"},
			"filter":  {"/imageflow.v1.FilterService/ApplyFilter"},
		} {
			for _, path := range paths {
				atOnce(strong(10, 40), func(i int) {
					token := "Bearer " + gatewayToken
					if i%2 == 0 {
						token = ""
					}
					l.call(ctx, role, path, body, "Grpc-Encoding", "gzip", "Authorization", token)
				})
			}
		}
	}
}

func deadLetterAttack(t *testing.T, l *limited) func(context.Context) {
	event := []string{"Ce-Id", "deep", "Ce-Source", "x", "Ce-Specversion", "1.0", "Ce-Type", "t", "Content-Type", "application/json"}
	nested := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	large := `{"a":"` + strings.Repeat("x", 9<<20) + `"}`
	return func(ctx context.Context) {
		atOnce(strong(4, 30), func(i int) {
			event := append(event, "Ce-Subject", fmt.Sprint(i))
			l.send(ctx, http.DefaultClient, "bridge", "/dead-letters", strings.NewReader(nested), event...)
			l.send(ctx, http.DefaultClient, "bridge", "/dead-letters", strings.NewReader(large), event...)
			l.send(ctx, http.DefaultClient, "bridge", "/notifications", strings.NewReader(nested), "Authorization", "Bearer "+bridgeToken)
		})
	}
}

// silentStreams declare large messages, and send only the beginning of one.
func silentStreams(t *testing.T, l *limited) func(context.Context) {
	part := append(binary.BigEndian.AppendUint32([]byte{0}, 60<<20), make([]byte, 1<<20)...)
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(strong(3, 20))*time.Second)
		defer cancel()
		atOnce(strong(40, 110), func(i int) {
			client := lonely(0)
			defer client.CloseIdleConnections()
			role, path := "resize", "/imageflow.v1.ResizeService/ResizeImageStream"
			if i%2 == 0 {
				role, path = "gateway", "/imageflow.v1.PipelineService/RunPipeline"
			}
			atOnce(2, func(j int) {
				begin := part
				if j == 0 {
					begin = part[:5]
				}
				body := io.MultiReader(bytes.NewReader(begin), untilDone{ctx})
				l.send(ctx, client, role, path, body, "Content-Type", "application/grpc", "TE", "trailers", "Authorization",
					"Bearer "+gatewayToken)
			})
		})
	}
}

// deafCallers request large answers and do not read them.
func deafCallers(t *testing.T, l *limited) func(context.Context) {
	body := resizeBody(smallJPEG(t), "image/tiff", 3000)
	body = strings.Replace(body, "{", `{"enlarge": true, `, 1)
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(strong(3, 20))*time.Second)
		defer cancel()
		atOnce(strong(10, 40), func(i int) {
			role := []string{"gateway", "resize"}[i%2]
			client := lonely(64 << 10)
			defer client.CloseIdleConnections()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url(role, "/v1/resize"), strings.NewReader(body))
			if err != nil {
				return
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+gatewayToken)
			resp, err := client.Do(req)
			if err != nil {
				return
			}
			<-ctx.Done()
			resp.Body.Close()
		})
	}
}

func stalledStore(t *testing.T, l *limited) func(context.Context) {
	for _, key := range []string{"stall/a.jpg", "stall/b.jpg"} {
		data := append(largeJPEG(t, 2000, 1500), make([]byte, 1<<20)...)
		if _, err := l.s3.PutObject(t.Context(), bucket, key, bytes.NewReader(data), int64(len(data)),
			minio.PutObjectOptions{}); err != nil {
			t.Error(err)
		}
	}
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(strong(3, 20))*time.Second)
		defer cancel()
		atOnce(strong(6, 12), func(i int) {
			key := []string{"stall/a.jpg", "stall/b.jpg"}[i%2]
			l.json(ctx, "gateway", "/v1/resize", fmt.Sprintf(`{"input_image":{"object_key":%q},"target_width":%d}`, key, 100+i))
		})
	}
}

func largeImages(t *testing.T, l *limited) func(context.Context) {
	phone := largeJPEG(t, 8160, 6144)
	avif := `"input_bytes":"` + base64.StdEncoding.EncodeToString(phone) + `","output_image":{"content_type":"image/avif"}`
	asJPEG := strings.Replace(avif, "avif", "jpeg", 1)
	return func(ctx context.Context) {
		for role, more := range map[string]string{
			"resize": `"target_width":8160`, "filter": `"filter_type":"FILTER_TYPE_BLUR","intensity":1`, "detect": `"draw_boxes":true`,
		} {
			status, text := l.json(ctx, role, "/v1/"+role, "{"+avif+","+more+"}")
			if status != http.StatusBadRequest || !strings.Contains(text, "MAX_DECODED_BYTES") {
				t.Errorf("a phone's image as AVIF by %s: %d %.300s", role, status, text)
			}
		}
		atOnce(strong(2, 8), func(int) {
			status, text := l.json(ctx, "filter", "/v1/filter", "{"+asJPEG+`,"filter_type":"FILTER_TYPE_BRIGHTNESS","intensity":0.1}`)
			if status != http.StatusOK && status != http.StatusTooManyRequests && ctx.Err() == nil {
				t.Errorf("a phone's image: %d %.300s", status, text)
			}
		})
	}
}

func pngBombs(t *testing.T, l *limited) func(context.Context) {
	var z bytes.Buffer
	w, _ := zlib.NewWriterLevel(&z, zlib.BestSpeed)
	for range strong(64, 1024) {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	var bodies []string
	for _, bomb := range [][]byte{
		greyPNG(nil, z.Bytes()),
		greyPNG(bytes.Repeat(chunk("zTXt", append([]byte("k\x00\x00"), z.Bytes()...)), 20), nil),
		greyPNG(bytes.Repeat(chunk("iTXt", append([]byte("k\x00\x01\x00\x00\x00"), z.Bytes()...)), 20), nil),
		greyPNG(chunk("iCCP", append([]byte("k\x00\x00"), z.Bytes()...)), nil),
	} {
		bodies = append(bodies, resizeBody(bomb, "image/png", 32))
	}
	return func(ctx context.Context) {
		for _, body := range bodies {
			atOnce(strong(2, 4), func(int) { l.json(ctx, "resize", "/v1/resize", body) })
		}
	}
}
