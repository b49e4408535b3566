{{- define "cart.probe" -}}
exec:
  command: [sh, -c, "grpc_health_probe -addr=:8080 && test -f /ready"]
{{- end -}}
