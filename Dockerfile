# The pipeline, and a server of its champion, both in the repository that is mounted:
#   docker build --tag pipeline .                  && docker run --volume "$PWD:/repository" pipeline
#   docker build --tag serve --target serve .      && docker run --volume "$PWD:/repository" --publish 5001:5001 serve
FROM python:3.12-slim AS environment
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --no-install-recommends --yes git && rm -rf /var/lib/apt/lists/*
WORKDIR /environment
COPY pyproject.toml requirements.lock ./
# hadolint ignore=DL3013
RUN pip install --no-cache-dir uv && uv venv --clear . && \
    uv pip install --no-cache --python bin/python --constraint requirements.lock --requirement pyproject.toml --extra tables
ENV PATH=/environment/bin:$PATH
WORKDIR /repository

FROM environment AS serve
EXPOSE 5001
CMD ["python", "-m", "pipeline", "serve", "--host", "0.0.0.0"]

FROM environment AS pipeline
CMD ["dvc", "repro"]
