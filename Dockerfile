# glibc on purpose: the speech wheels (espeak-ng, LAME, soxr) have no musl build.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE.md langgraph.json ./
COPY app app
COPY graphs graphs
COPY pytest_chldo pytest_chldo
COPY fixtures fixtures
RUN python -m venv /opt/chldo && /opt/chldo/bin/pip install --no-cache-dir -c constraints.txt ".[postgres,checkpoint]"

FROM python:3.12-slim
RUN useradd --system --create-home --uid 10001 chldo && install -d -o chldo -g chldo /data
COPY --from=build /opt/chldo /opt/chldo
ENV PATH=/opt/chldo/bin:$PATH PYTHONUNBUFFERED=1 CHLDO_HOST=0.0.0.0 CHLDO_PORT=8765 CHLDO_DATA=/data CHLDO_LOG_FORMAT=json
USER chldo
WORKDIR /home/chldo
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["chldo-emulator", "health"]
CMD ["chldo-emulator", "serve"]
