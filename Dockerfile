# Images of Stride; docs/deployment.md says how to run them.
#
#     docker build --target serve .      the service: ONNX Runtime and OpenVINO, no torch (default)
#     docker build --target serve-gpu .  the service on an NVIDIA GPU: ONNX Runtime with CUDA, TensorRT
#     docker build --target export .     the exporters, with torch
#     docker build --target loadtest .   locust with our users

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_CONSTRAINT=/source/constraints.txt
WORKDIR /source
RUN python -m venv /opt/stride
COPY LICENSE NOTICE README.md cli.py constraints.txt pyproject.toml ./
COPY benchmarks benchmarks
COPY commands commands
COPY demo demo
COPY exporters exporters
COPY inference inference
COPY loadtest loadtest
COPY measuring measuring
COPY models models
COPY monitoring monitoring
COPY service service

FROM build AS build-serve
RUN /opt/stride/bin/pip install ".[openvino,tracing]"

# Both packages of ONNX Runtime have the same files: the last one to be installed must be the GPU's.
FROM build AS build-gpu
RUN /opt/stride/bin/pip install ".[gpu,tracing]" \
    && /opt/stride/bin/pip uninstall --yes onnxruntime onnxruntime-gpu \
    && /opt/stride/bin/pip install --no-deps onnxruntime-gpu==1.31.1

# The CPU's build of torch, where its index has one: a tenth of the bytes.
FROM build AS build-export
ARG TORCH=2.13.0+cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN /opt/stride/bin/pip install --extra-index-url "$TORCH_INDEX" "torch==$TORCH" \
    && /opt/stride/bin/pip install ".[export,openvino,bench,demo]"

FROM build AS build-loadtest
RUN /opt/stride/bin/pip install ".[loadtest]"

# What all images run in. Nothing is installed here, nobody is root, and nothing is written but to
# /tmp: the root file system may be read-only.
FROM python:3.11.14-slim-bookworm AS run
ENV PATH=/opt/stride/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STRIDE_HOST=0.0.0.0 \
    STRIDE_PORT=8000 \
    STRIDE_PROFILES=/profiles \
    STRIDE_REPOSITORY=/artifacts
WORKDIR /tmp
USER 10001:10001

FROM run AS export
COPY --from=build-export /opt/stride /opt/stride
ENTRYPOINT ["stride"]
CMD ["export", "--help"]

FROM run AS loadtest
COPY --from=build-loadtest /opt/stride /opt/stride
COPY loadtest/locustfile.py /loadtest/locustfile.py
EXPOSE 8089
ENTRYPOINT ["locust", "--locustfile", "/loadtest/locustfile.py"]

FROM run AS serve-gpu
COPY --from=build-gpu /opt/stride /opt/stride
EXPOSE 8000
# Not by urllib, which would ask the proxy that Docker hands on to containers.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.environ['STRIDE_PORT']), timeout=2); c.request('GET', '/readyz'); exit(c.getresponse().status != 200)"]
ENTRYPOINT ["stride"]
CMD ["serve"]

FROM run AS serve
COPY --from=build-serve /opt/stride /opt/stride
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.environ['STRIDE_PORT']), timeout=2); c.request('GET', '/readyz'); exit(c.getresponse().status != 200)"]
ENTRYPOINT ["stride"]
CMD ["serve"]
