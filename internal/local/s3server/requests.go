package s3server

import (
	"net/http"
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

// isFormV2 reports whether the request is a form with signature version 2. fasthttp has parsed a form before; a body that it
// has not read is left as it is.
func isFormV2(ctx fiber.Ctx) bool {
	if ctx.Method() != fiber.MethodPost || ctx.Request().BodyStream() != nil {
		return false
	}
	form, err := ctx.Request().MultipartForm()
	if err != nil {
		return false
	}
	has := map[string]bool{}
	for name := range form.Value {
		has[strings.ToLower(name)] = true
	}
	return (has["awsaccesskeyid"] || has["signature"]) && !has["x-amz-algorithm"]
}

// errFilename refuses a form whose key has the variable, which versitygw would store as it is: it does not
// report the name of the file.
var errFilename = s3err.APIError{
	Code:           "NotImplemented",
	Description:    "local mode does not replace ${filename} in the key of a form: put the file's name into the field key",
	HTTPStatusCode: http.StatusNotImplemented,
}
