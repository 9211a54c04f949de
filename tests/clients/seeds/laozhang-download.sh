curl -L -o wan-output.mp4 "$RESULT_URL"
