apiVersion: v1
kind: Pod
metadata: {name: cart}
spec:
  containers:
  - name: server
    ports: [{containerPort: 9000}]
    livenessProbe:
      exec:
        command: [/bin/grpc_health_probe, "-addr=:9000"]
