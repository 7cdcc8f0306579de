package s3server

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/controllers"
	"github.com/versity/versitygw/s3err"
)

// requireV4 refuses requests with signature version 2 by name. versitygw's errors about them are about dates and the order of
// fields.
var requireV4 = controllers.WrapMiddleware(func(ctx fiber.Ctx) error {
	if strings.HasPrefix(ctx.Get("Authorization"), "AWS ") || ctx.Query("AWSAccessKeyId") != "" || isFormV2(ctx) {
		return s3err.GetAPIError(s3err.ErrUnsupportedAuthorizationMechanism)
	}
	return nil
}, nil, nil)

// isFormV2 reports whether the request is a form with signature version 2.
func isFormV2(ctx fiber.Ctx) bool {
	form := formOf(ctx)
	if form == nil {
		return false
	}
	has := map[string]bool{}
	for name := range form.Value {
		has[strings.ToLower(name)] = true
	}
	return (has["awsaccesskeyid"] || has["signature"]) && !has["x-amz-algorithm"]
}

// formOf returns the form that a request is, or nil. fasthttp has parsed a form before; a body that it has not read is left as
// it is.
func formOf(ctx fiber.Ctx) *multipart.Form {
	if ctx.Method() != fiber.MethodPost || ctx.Request().BodyStream() != nil {
		return nil
	}
	form, err := ctx.Request().MultipartForm()
	if err != nil {
		return nil
	}
	return form
}

// requireFile refuses forms but those with one file, in the field file, as S3 does. versitygw stores the first file of any
// field, and gets the fields in no order.
var requireFile = controllers.WrapMiddleware(func(ctx fiber.Ctx) error {
	form := formOf(ctx)
	if form == nil {
		return nil
	}
	files, others, text := 0, 0, ""
	for name, parts := range form.File {
		if strings.ToLower(name) == "file" { // as versitygw compares it
			files += len(parts)
		} else {
			others += len(parts)
		}
	}
	for name, values := range form.Value {
		if strings.ToLower(name) == "file" {
			files, text = files+len(values), name
		}
	}
	if files != 1 || others > 0 {
		return s3err.GetInvalidArgumentErr(s3err.InvalidArgPOSTFileRequired, strconv.Itoa(files))
	}
	if text != "" {
		return writeFileLast(ctx, form, text)
	}
	return nil
}, nil, nil)

// writeFileLast replaces the body by one that ends with a file that has no file name, which S3 takes, too. versitygw
// takes the fields behind a file for its content, and gets this one among the fields.
func writeFileLast(ctx fiber.Ctx, form *multipart.Form, file string) error {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if err := w.SetBoundary(string(ctx.Request().Header.MultipartFormBoundary())); err != nil {
		return s3err.GetAPIError(s3err.ErrMalformedPOSTRequest)
	}
	content := form.Value[file][0]
	delete(form.Value, file)
	for name, values := range form.Value {
		for _, value := range values {
			_ = w.WriteField(name, value) // a buffer has no errors
		}
	}
	_ = w.WriteField(file, content)
	_ = w.Close()
	ctx.Request().SetBody(body.Bytes())
	ctx.Request().Header.SetContentLength(body.Len())
	return nil
}

// errFilename refuses a form whose key has the variable, which versitygw would store as it is: it does not
// report the name of the file.
var errFilename = s3err.APIError{
	Code:           "NotImplemented",
	Description:    "local mode does not replace ${filename} in the key of a form: put the file's name into the field key",
	HTTPStatusCode: http.StatusNotImplemented,
}
