package scenario

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// gradient draws an image without equal regions.
func gradient(width, height int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(255 * x / width), uint8(255 * y / height), uint8((x ^ y) & 255), 255})
		}
	}
	return m
}

func jpegOf(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, gradient(width, height), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// plainJPEG returns an image of one colour.
func plainJPEG(t testing.TB, width, height int, c color.Color) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, gradient(width, height)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bigPNG returns an image whose processing takes long, since all of its data must be inflated.
func bigPNG(t testing.TB) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 4800, 3600))
	for i := range m.Pix {
		m.Pix[i] = uint8(i >> 6)
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put uploads an image, which starts a chain. It retries while the store is unavailable.
func (s *system) put(t testing.TB, key, contentType string, data []byte) {
	t.Helper()
	eventually(t, "the store to take "+key, func() bool {
		_, err := s.s3.PutObject(context.Background(), bucket, key, bytes.NewReader(data), int64(len(data)),
			minio.PutObjectOptions{ContentType: contentType})
		return err == nil
	})
}

// place puts an object that starts no chain.
func (s *system) place(t testing.TB, key string, data []byte) {
	t.Helper()
	_, err := s.s3.PutObject(context.Background(), bucket, key, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{UserMetadata: map[string]string{"imageflow-execution": "test"}})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *system) get(t testing.TB, key string) []byte {
	t.Helper()
	return s.getFrom(t, bucket, key)
}

func (s *system) getFrom(t testing.TB, bucket, key string) []byte {
	t.Helper()
	o, err := s.s3.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	data, err := io.ReadAll(o)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return data
}

// decode decodes an output in full.
func (s *system) decode(t testing.TB, key string) image.Image {
	t.Helper()
	m, _, err := image.Decode(bytes.NewReader(s.get(t, key)))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return m
}

// size decodes an output in full and returns its size.
func (s *system) size(t testing.TB, key string) image.Point {
	t.Helper()
	return s.decode(t, key).Bounds().Size()
}

// keys lists the keys with a prefix.
func (s *system) keys(t testing.TB, prefix string) []string {
	t.Helper()
	return s.keysOf(t, bucket, prefix)
}

// deadLetterKeys returns the keys of all dead letters. Their bucket has other objects, too, in folders that begin
// with an underscore.
func (s *system) deadLetterKeys(t testing.TB) []string {
	t.Helper()
	isOther := func(key string) bool { return strings.HasPrefix(key, "_") }
	return slices.DeleteFunc(s.keysOf(t, "imageflow-dead-letters", ""), isOther)
}

func (s *system) keysOf(t testing.TB, bucket, prefix string) []string {
	t.Helper()
	var keys []string
	for o := range s.s3.ListObjects(context.Background(), bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}
