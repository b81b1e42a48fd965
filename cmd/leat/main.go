// Command leat is the whole of Leat: the server and its clients.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"leat/internal/app"
	"leat/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, cli.OS(), os.Args[1:])
	stop()
	os.Exit(code)
}
